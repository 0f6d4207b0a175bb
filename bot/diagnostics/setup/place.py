"""Where a set-up writes, and what lies there now."""

from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import ConfigurationError
from bot.settings.env_source import read_dotenv
from bot.settings.loading import PROJECT_DIR, config_directory
from bot.settings.yaml_source import YamlFile, read_yaml


@dataclass(frozen=True)
class Place:
    """The configuration's directory; `.env` lies beside it."""

    config_dir: Path

    @classmethod
    def of_this_process(cls) -> "Place":
        return cls(config_directory())

    @property
    def yaml_path(self) -> Path:
        return self.config_dir / "nija.yaml"

    @property
    def dotenv_path(self) -> Path:
        return self.config_dir.parent / ".env"

    def user_path(self, file_name: str) -> Path:
        return self.config_dir / "users" / file_name

    def yaml(self) -> YamlFile:
        return read_yaml(self.yaml_path, f"{self.config_dir.name}/nija.yaml")

    def dotenv(self) -> dict[str, str]:
        return read_dotenv(self.dotenv_path).values

    def shown(self, path: Path) -> str:
        """A file as its owner knows it: from the directory that holds `config/`."""
        above = self.config_dir.parent
        return str(path.relative_to(above)) if path.is_relative_to(above) else str(path)


def text_of(path: Path) -> str | None:
    """A file's text with its line ends as they are; None = there is no such file. Raises `ConfigurationError`."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start + 1})") from error


def template() -> str:
    """Every setting with its meaning, for a directory that has no `nija.yaml` yet."""
    return text_of(PROJECT_DIR / "config" / "nija.yaml") or ""
