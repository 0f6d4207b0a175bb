"""The chats of Telegram that may ask this bot what it does, and stop it."""
