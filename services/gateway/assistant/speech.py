"""From the model's text to what the customer gets: guarded, and cut into units."""

from collections.abc import Awaitable, Callable

from services.gateway.assistant.grounding.check import Fault
from services.gateway.assistant.guard import Guard, LeakedCall
from services.gateway.assistant.language import language_of
from services.gateway.assistant.splitter import ClauseSplitter

Emit = Callable[[str], Awaitable[None]]
Check = Callable[[str], Fault | None]
Clean = Callable[[str], str]


class UnfoundedError(Exception):
    """A unit states what nothing supports; it was not sent, nor anything after it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


class Speech:
    """Everything said in one turn, over all its model calls.

    Args:
        emit: takes each unit as it is complete; None when nobody listens before the end.
        clean: takes out of a unit what is not words.
        check: finds what a unit states without support.
    """

    def __init__(self, emit: Emit | None, clean: Clean, check: Check) -> None:
        self._emit = emit
        self._clean = clean
        self._check = check
        self._guard = Guard()
        self._splitter = ClauseSplitter()
        self._fresh = True
        self._sent: list[str] = []
        self._repeats: list[str] = []
        """Units sent before one was held back, which a model asked for the rest may say again."""
        self.text = ""
        self._begun = 0

    @property
    def said(self) -> str:
        """What the model call under way has sent so far."""
        return self.text[self._begun :].lstrip()

    def rewind(self) -> None:
        """Forget what was heard but not sent: another node says it again."""
        self._guard, self._splitter = Guard(), ClauseSplitter()

    async def hear(self, piece: str) -> None:
        """Take the next piece of the model's text.

        Raises:
            UnfoundedError: a unit was held back; the rest of this call's text is forgotten.
        """
        shown = self._guard.feed(piece)
        if shown:
            await self._say(self._splitter.feed(shown))

    async def end_call(self) -> list[LeakedCall]:
        """End one model call's text; return the tool calls that it held as text.

        Raises:
            UnfoundedError: as `hear`.
        """
        rest = self._guard.finish()
        leaked = self._guard.leaked_calls()
        await self._say(self._splitter.feed(rest) + self._splitter.flush())
        self._begin()
        return leaked

    def _begin(self) -> None:
        """Make ready for the next model call."""
        self.rewind()
        self._fresh, self._begun = True, len(self.text)

    async def _say(self, units: list[str]) -> None:
        for unit in units:
            text = self._clean(unit)
            if self._fresh:
                # Models like to begin with blank lines, and may speak before and after a call.
                text = text.lstrip()
                if text and self.text and not _joins(self.text[-1], text[0]):
                    text = " " + text
            if not text or self._repeated(text):
                continue
            if (fault := self._check(text)) is not None:
                self._begin()
                self._repeats = self._sent.copy()
                raise UnfoundedError(fault)
            self._fresh = False
            self._sent.append(text.strip())
            self.text += text
            if self._emit is not None:
                await self._emit(text)

    def _repeated(self, text: str) -> bool:
        """Tell whether a unit is the next one of those sent before."""
        if not self._repeats:
            return False
        if text.strip() == self._repeats[0]:
            self._repeats.pop(0)
            return True
        self._repeats = []
        return False


def _joins(last: str, first: str) -> bool:
    """Tell whether two texts can stand together without a space."""
    return last.isspace() or not last.isascii() or language_of(first) == "zh"
