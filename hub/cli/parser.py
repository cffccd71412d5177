"""The commands and their arguments. Handlers are named, not imported: `doorbell demo` must not wait for all of them.

A handler is `module:function` and takes (arguments, settings); it returns the exit code.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hub import __version__
from hub.domain.permission import SIGNED_IN, Role

_DAY_S = 86_400
_ROLES = {
    "serve": "serve people: WebSocket gateway, HTTP API and pages",
    "consume": "take events in from Kafka and RabbitMQ",
    "deliver": "run due jobs: what goes out by push, SMS and email",
    "demo": "run everything at once, with stand-ins for what a shop has around it",
}
_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="doorbell", description="The real-time notification and tracking hub of an online shop."
    )
    parser.add_argument("--version", action="version", version=f"doorbell {__version__}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings to read instead of ./doorbell.toml")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in _ROLES.items():
        role = commands.add_parser(name, help=summary, description=summary)
        # Set by a supervising process: end when standard input closes.
        role.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
        role.set_defaults(run=f"hub.cli.roles:{name}")
    _add_config(commands)
    _add_credentials(commands)
    _add_channels(commands)
    _add_dead_letters(commands)
    _add_playbook(commands)
    _add_suppressions(commands)
    _add_templates(commands)
    return parser


def _add_config(commands: _Commands[argparse.ArgumentParser]) -> None:
    actions = _group(commands, "config", "check or show the configuration")
    check = actions.add_parser("check", help="say all that is wrong with settings, playbook, templates and keys")
    check.set_defaults(run="hub.cli.configuration:check", tells_mistakes=True)
    show = actions.add_parser("show", help="print the settings in effect as JSON, without secrets")
    show.set_defaults(run="hub.cli.configuration:show")


def _add_credentials(commands: _Commands[argparse.ArgumentParser]) -> None:
    token = commands.add_parser("token", help="make a connection or subscription token, where token.hmac_secret is set")
    token.add_argument("--user", required=True, help="whose token: the `sub` claim")
    token.add_argument("--role", type=Role, choices=sorted(SIGNED_IN), default=Role.SHOPPER)
    token.add_argument("--ttl", type=int, default=_DAY_S, metavar="S", help="seconds until it expires (default: a day)")
    token.add_argument("--channel", default="", metavar="TOPIC", help="make it a subscription token for this topic")
    token.set_defaults(run="hub.cli.credentials:token")
    api_key = commands.add_parser("api-key", help="make an API key for a service, and the setting that lets it in")
    api_key.add_argument("--name", required=True, help="the service")
    api_key.add_argument(
        "--scope",
        action="append",
        default=[],
        help="an operation it may call; none: all but ops.*",
    )
    api_key.set_defaults(run="hub.cli.credentials:api_key")


def _add_channels(commands: _Commands[argparse.ArgumentParser]) -> None:
    actions = _group(commands, "channels", "try the channels that are configured")
    test = actions.add_parser("test", help="send a test message and say what each provider made of it")
    test.add_argument("channel", choices=["push", "sms", "email"])
    test.add_argument("--to", required=True, help="a mailbox, a number in E.164, or an app's registration")
    test.add_argument("--kind", choices=["token", "fid"], default="token", help="what a registration is")
    test.add_argument("--all", action="store_true", help="ask every provider, not only until one has taken it")
    test.set_defaults(run="hub.cli.channels:test")


def _add_dead_letters(commands: _Commands[argparse.ArgumentParser]) -> None:
    actions = _group(commands, "dead-letters", "look at what could not be processed, try it again or drop it")
    listing = actions.add_parser("list", help="list them, the newest first")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run="hub.cli.dead_letters:show_list")
    show = actions.add_parser("show", help="print one with its reason, its origin and its raw bytes")
    show.add_argument("ids", nargs=1, metavar="ID")
    show.set_defaults(run="hub.cli.dead_letters:show")
    for name, summary in (("retry", "process them again; those that work are dropped"), ("drop", "delete them")):
        action = actions.add_parser(name, help=summary)
        action.add_argument("ids", nargs="*", metavar="ID")
        action.add_argument("--all", action="store_true", help="all there are")
        action.set_defaults(run=f"hub.cli.dead_letters:{name}")


def _add_playbook(commands: _Commands[argparse.ArgumentParser]) -> None:
    actions = _group(commands, "playbook", "see what the rules make of an event")
    explain = actions.add_parser("explain", help="say what an event would send to whom, and why not")
    explain.add_argument("event", type=Path, metavar="EVENT.json", help="a CloudEvent in structured mode")
    explain.add_argument("--live", action="store_true", help="by what the hub knows now, not by what usually is")
    explain.set_defaults(run="hub.cli.playbook:explain")


def _add_suppressions(commands: _Commands[argparse.ArgumentParser]) -> None:
    actions = _group(commands, "suppressions", "look at the addresses that are not written to, or let one be again")
    listing = actions.add_parser("list", help="list them, the newest first; the addresses themselves are not kept")
    listing.add_argument("--limit", type=int, default=50)
    listing.set_defaults(run="hub.cli.suppressions:show_list")
    remove = actions.add_parser("remove", help="let addresses be written to again")
    remove.add_argument("addresses", nargs="+", metavar="ADDRESS", help="an address, or the id of a line of the list")
    remove.add_argument("--channel", default="email", help="of addresses: email or sms (default: email)")
    remove.set_defaults(run="hub.cli.suppressions:remove")


def _add_templates(commands: _Commands[argparse.ArgumentParser]) -> None:
    actions = _group(commands, "templates", "check or look at the texts")
    check = actions.add_parser("check", help="render every template for every channel and locale with sample data")
    check.set_defaults(run="hub.cli.texts:check")
    render = actions.add_parser("render", help="print one text with sample data")
    render.add_argument("template")
    render.add_argument("--channel", choices=["inbox", "email", "push", "sms"], default="inbox")
    render.add_argument("--locale", default="en")
    render.set_defaults(run="hub.cli.texts:render")


def _group(commands: _Commands[argparse.ArgumentParser], name: str, summary: str) -> _Commands[argparse.ArgumentParser]:
    group = commands.add_parser(name, help=summary, description=summary)
    return group.add_subparsers(dest="action", metavar="ACTION", required=True)
