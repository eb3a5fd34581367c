"""Where a request comes from, seen through the proxies that are trusted to say so."""

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(
    peer: str | None, forwarded_for: str | None, proxies: Sequence[Network]
) -> str | None:
    """Return the client's address, or None where it cannot be told (a Unix socket).

    Args:
        peer: who holds the connection.
        forwarded_for: the `X-Forwarded-For` header. Each proxy adds, at the end, who connected to
            it; anything before the first untrusted entry from the right is the client's own word.
        proxies: networks of the proxies in front of the gateway.
    """
    address = _parsed(peer)
    if address is None:
        return None
    hops = [part.strip() for part in (forwarded_for or "").split(",") if part.strip()]
    while hops and any(address in network for network in proxies):
        named = _parsed(hops.pop())
        if named is None:
            break
        address = named
    if isinstance(address, ipaddress.IPv6Address):
        # A household has at least a /64 of its own: its addresses are one client.
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    return str(address)


def _parsed(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
