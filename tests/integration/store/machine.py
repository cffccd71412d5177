"""State machines that do everything at random to a real Redis, and to a model of what should be in it."""

import asyncio
import secrets

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from hub.store.dead_letters import DeadLetters
from hub.store.jobs import Jobs
from hub.store.keys import Keys
from hub.store.records import Records
from hub.store.scripts import Scripts
from hub.store.server import Server
from hub.store.single import SingleServer


class StoreMachine(RuleBasedStateMachine):
    """What such a machine begins with. Each example has keys of its own."""

    server: Server
    runner: asyncio.Runner
    """For the rules, which are no coroutines."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = Keys(f"{secrets.token_hex(6)}:")
        self.scripts = Scripts(self.server)


class QueueMachine(StoreMachine):
    """One with a delay queue, and with a clock that its rules move."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000
        self.letters = DeadLetters(self.server, self.scripts, self.keys)
        self.jobs = Jobs(
            self.server,
            self.scripts,
            self.keys,
            self.letters,
            Records(self.server, self.scripts, self.keys),
            shards=2,
            dedupe_window_s=600,
            clock=lambda: self.now_ms,
        )


def run_machine(machine: type[StoreMachine], redis_url: str, *, examples: int, steps: int) -> None:
    """Try `examples` of at most so many steps."""
    quietly = settings(max_examples=examples, stateful_step_count=steps)
    with asyncio.Runner() as runner:
        server = SingleServer(redis_url)
        connected = type(machine.__name__, (machine,), {"server": server, "runner": runner})
        try:
            run_state_machine_as_test(connected, settings=quietly)
        finally:
            runner.run(server.aclose())
