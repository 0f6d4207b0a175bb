"""Somebody who answers the questions of a set-up, in the order that is written down beforehand."""

from collections.abc import Sequence

from bot.diagnostics.setup.dialogue import Dialogue


class Script:
    """Each answer stands with words of its question; `said` is everything that was shown."""

    def __init__(self, answers: Sequence[tuple[str, str]]) -> None:
        self._answers = list(answers)
        self.said: list[str] = []
        self.prompts: list[str] = []
        self.hidden: list[str] = []

    @property
    def left(self) -> Sequence[tuple[str, str]]:
        return self._answers

    @property
    def shown(self) -> str:
        return "\n".join([*self.prompts, *self.said])

    def dialogue(self) -> Dialogue:
        return Dialogue(read=self._read, read_secret=self._read_secret, say=self.said.append)

    def _read(self, prompt: str) -> str:
        if not self._answers:
            raise EOFError
        words, answer = self._answers.pop(0)
        assert words in prompt, f"{prompt!r} is no question about {words!r}; said so far:\n{self.shown}"
        self.prompts.append(prompt)
        return answer

    def _read_secret(self, prompt: str) -> str:
        answer = self._read(prompt)
        self.hidden.append(answer)
        return answer
