"""What every group of settings has in common."""

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A group of settings. Nothing unknown is taken, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, value: object) -> object:
        """A heading with nothing below it (all of it commented out) sets nothing."""
        return {} if value is None else value
