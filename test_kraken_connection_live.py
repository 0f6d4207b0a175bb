from bot.environment import run

if __name__ == "__main__":
    run("bot.diagnostics.kraken_connection")
