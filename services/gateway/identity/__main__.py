"""`python -m services.gateway.identity`: makes and revokes shop keys, sets how tokens are checked.

`make shop ARGS="…"` runs it. A running gateway sees each change within about a second. What is
secret is printed once, alone on standard output; everything else goes to standard error.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from services.gateway.errors import SettingsError
from services.gateway.identity.agents import Role, make_agent
from services.gateway.identity.keys import KeyKind, make_key
from services.gateway.identity.secret_file import (
    ShopSecrets,
    TokenRules,
    Webhook,
    locked,
    read_secrets,
    write_secrets,
)
from services.gateway.identity.shops import read_profiles
from services.gateway.settings import ShopFiles, load_shop_files

_PUBLIC_ALGORITHMS = ("ES256", "EdDSA")
_SECRET_BYTES = 48

Shops = dict[str, ShopSecrets]
Command = Callable[[argparse.Namespace, ShopFiles, Shops], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        _run(options, load_shop_files())
    except SettingsError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make shop", usage='make shop ARGS="COMMAND …"', description=_ABOUT
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, text: str, *, shop: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, prog=f"make shop {name}")
        if shop:
            made.add_argument("shop", help="the shop's id in SHOPS_FILE")
        return made

    command("list", "list shops, their keys and how their tokens are checked", shop=False)
    command("add", "add a shop that SHOPS_FILE describes; prints its token secret")
    command("remove", "remove a shop's keys and token secrets")
    add_key = command("add-key", "make a key and print it, this once")
    add_key.add_argument("--public", action="store_true", help="for browsers; needs --origin")
    add_key.add_argument(
        "--origin",
        action="append",
        default=[],
        help="a page's origin, such as https://shop.example; may be given several times",
    )
    revoke = command("revoke-key", "end a key at once")
    revoke.add_argument("key", help="its id, such as k_3f2a91c0; see list")
    add_agent = command("add-agent", "give a person a key to the tickets and print it, this once")
    add_agent.add_argument("name", help="as customers see it")
    add_agent.add_argument("--lead", action="store_true", help="may also take others' tickets")
    remove_agent = command("remove-agent", "end an agent's key at once")
    remove_agent.add_argument("agent", help="its id, such as a_3f2a91c0; see list")
    use_webhook = command(
        "use-webhook", "tell a helpdesk what happens to tickets; prints what signs each event"
    )
    use_webhook.add_argument("--url", required=True, help="where events are posted")
    command("no-webhook", "tell no helpdesk any more")
    rotate = command(
        "rotate-token-secret", "make a new HS256 secret and print it; the one before stays valid"
    )
    rotate.add_argument("--now", action="store_true", help="end the one before at once")
    command(
        "use-secret", "check tokens by a new HS256 secret, which is printed, and no longer keys"
    )
    use_jwks = command("use-jwks", "check tokens by the shop's own public keys")
    use_jwks.add_argument("--alg", required=True, choices=_PUBLIC_ALGORITHMS)
    source = use_jwks.add_mutually_exclusive_group(required=True)
    source.add_argument("--url", help="where the shop publishes its JWKS")
    source.add_argument("--file", type=Path, help="a JWKS to keep in the secrets file")
    return parser


def _run(options: argparse.Namespace, files: ShopFiles) -> None:
    path = files.shop_secrets_file
    with locked(path):
        shops = read_secrets(path) if path.exists() else {}
        if "shop" in options and options.command != "add" and options.shop not in shops:
            raise SettingsError(
                f'{path} has no shop {options.shop!r}. Add it: make shop ARGS="add {options.shop}"'
            )
        before = dict(shops)
        try:
            _COMMANDS[options.command](options, files, shops)
        except ValueError as exc:
            raise SettingsError(f"That cannot be done: {exc}.") from exc
        if shops != before:
            write_secrets(path, shops)
    _tell_secrets(options)


def _tell_secrets(options: argparse.Namespace) -> None:
    """Print what a command made, once it is stored."""
    for line in getattr(options, "notes", []):
        print(line, file=sys.stderr)
    if (made := getattr(options, "made", None)) is not None:
        print(made)


def _list(_: argparse.Namespace, files: ShopFiles, shops: Shops) -> None:
    described = read_profiles(files.shops_file)
    for shop_id in sorted(shops.keys() | described.keys()):
        if shop_id not in shops:
            print(f'{shop_id}: no keys yet; make shop ARGS="add {shop_id}"')
            continue
        rules = shops[shop_id].customer_tokens
        missing = "" if shop_id in described else f"  (not in {files.shops_file})"
        print(f"{shop_id}: tokens {_rules_text(rules)}{missing}")
        for key in shops[shop_id].keys:
            created = key.created_at.isoformat().replace("+00:00", "Z")
            print(f"  {key.id}  {key.kind:<6}  {created}  {' '.join(key.origins)}".rstrip())
        for agent in shops[shop_id].agents:
            created = agent.created_at.isoformat().replace("+00:00", "Z")
            print(f"  {agent.id}  {agent.role:<6}  {created}  {agent.name}")


def _rules_text(rules: TokenRules) -> str:
    if rules.alg == "HS256":
        return f"HS256, {len(rules.secrets)} secret{'s' * (len(rules.secrets) > 1)}"
    if rules.jwks_url is not None:
        return f"{rules.alg}, keys from {rules.jwks_url}"
    found = rules.key_set()
    ids = ", ".join(str(kid) for kid in found.keys) if found else ""
    return f"{rules.alg}, keys {ids}"


def _add(options: argparse.Namespace, files: ShopFiles, shops: Shops) -> None:
    if options.shop in shops:
        raise ValueError(f"there is a shop {options.shop!r} already")
    if options.shop not in read_profiles(files.shops_file):
        raise ValueError(
            f"{files.shops_file} does not describe {options.shop!r}; put its name, tone and "
            "policies there first"
        )
    options.made = secrets.token_urlsafe(_SECRET_BYTES)
    shops[options.shop] = ShopSecrets((), TokenRules("HS256", (options.made,)))
    options.notes = [
        f'Shop {options.shop} is added. Make it a key: make shop ARGS="add-key {options.shop}"',
        "Its server signs customer tokens by this HS256 secret:",
    ]


def _remove(options: argparse.Namespace, files: ShopFiles, shops: Shops) -> None:
    del shops[options.shop]
    options.notes = [f"Shop {options.shop} is removed. Remove it from {files.shops_file} as well."]


def _add_key(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    if options.origin and not options.public:
        raise ValueError("--origin is for public keys; add --public")
    if options.public and not options.origin:
        raise ValueError("a public key belongs to origins; add --origin https://…, the page's")
    entry = shops[options.shop]
    kind: KeyKind = "public" if options.public else "secret"
    options.made, key = make_key(kind, options.origin, taken=[key.id for key in entry.keys])
    shops[options.shop] = msgspec.structs.replace(entry, keys=(*entry.keys, key))
    options.notes = [f"The {kind} key {key.id} of {options.shop}; it is shown this once:"]


def _revoke_key(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    entry = shops[options.shop]
    left = tuple(key for key in entry.keys if key.id != options.key)
    if len(left) == len(entry.keys):
        raise ValueError(f"{options.shop} has no key {options.key!r}; see list")
    shops[options.shop] = msgspec.structs.replace(entry, keys=left)
    options.notes = [f"Key {options.key} of {options.shop} is revoked."]


def _add_agent(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    entry = shops[options.shop]
    role: Role = "lead" if options.lead else "agent"
    taken = [agent.id for agent in entry.agents]
    options.made, agent = make_agent(options.name, role, taken=taken)
    shops[options.shop] = msgspec.structs.replace(entry, agents=(*entry.agents, agent))
    options.notes = [f"The key of {agent.name} ({agent.id}, {role}); it is shown this once:"]


def _remove_agent(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    entry = shops[options.shop]
    left = tuple(agent for agent in entry.agents if agent.id != options.agent)
    if len(left) == len(entry.agents):
        raise ValueError(f"{options.shop} has no agent {options.agent!r}; see list")
    shops[options.shop] = msgspec.structs.replace(entry, agents=left)
    options.notes = [f"Agent {options.agent} of {options.shop} is removed."]


def _use_webhook(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    options.made = secrets.token_urlsafe(_SECRET_BYTES)
    hook = Webhook(options.url, options.made)
    shops[options.shop] = msgspec.structs.replace(shops[options.shop], webhook=hook)
    options.notes = [f"Tickets of {options.shop} are told to {options.url}, signed by:"]


def _no_webhook(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    shops[options.shop] = msgspec.structs.replace(shops[options.shop], webhook=None)
    options.notes = [f"No helpdesk hears of {options.shop}'s tickets any more."]


def _rotate(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    rules = shops[options.shop].customer_tokens
    if rules.alg != "HS256":
        raise ValueError(
            f"the tokens of {options.shop} are signed by keys of its own ({rules.alg}); rotate "
            "them in its JWKS, or go back to a secret with use-secret"
        )
    kept = () if options.now else rules.secrets[:1]
    options.made = _use_new_secret(options.shop, shops, kept)
    before = "is no longer valid" if options.now else "stays valid until the next rotation"
    options.notes = [f"The new HS256 secret of {options.shop}; the one before {before}:"]


def _use_secret(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    if shops[options.shop].customer_tokens.alg == "HS256":
        raise ValueError(f"{options.shop} has a secret already; see rotate-token-secret")
    options.made = _use_new_secret(options.shop, shops, ())
    options.notes = [f"The HS256 secret by which {options.shop} signs customer tokens from now on:"]


def _use_new_secret(shop_id: str, shops: Shops, kept: tuple[str, ...]) -> str:
    made = secrets.token_urlsafe(_SECRET_BYTES)
    rules = TokenRules("HS256", (made, *kept))
    shops[shop_id] = msgspec.structs.replace(shops[shop_id], customer_tokens=rules)
    return made


def _use_jwks(options: argparse.Namespace, _: ShopFiles, shops: Shops) -> None:
    if options.url is not None:
        rules = TokenRules(options.alg, jwks_url=options.url)
    else:
        try:
            rules = TokenRules(options.alg, jwks=json.loads(options.file.read_text("utf-8")))
        except OSError as exc:
            raise ValueError(f"{options.file} cannot be read: {exc.strerror}") from exc
        except json.JSONDecodeError as exc:
            raise ValueError(f"{options.file} is not JSON") from exc
    shops[options.shop] = msgspec.structs.replace(shops[options.shop], customer_tokens=rules)
    options.notes = [f"Tokens of {options.shop}: {_rules_text(rules)}."]


_COMMANDS: dict[str, Command] = {
    "list": _list,
    "add": _add,
    "remove": _remove,
    "add-key": _add_key,
    "revoke-key": _revoke_key,
    "add-agent": _add_agent,
    "remove-agent": _remove_agent,
    "use-webhook": _use_webhook,
    "no-webhook": _no_webhook,
    "rotate-token-secret": _rotate,
    "use-secret": _use_secret,
    "use-jwks": _use_jwks,
}
_ABOUT = """Keys of shops, and how their customers' tokens are checked. A running gateway sees each
change within about a second."""

if __name__ == "__main__":
    sys.exit(main())
