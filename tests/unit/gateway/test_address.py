import ipaddress

import pytest

from services.gateway.limits.address import client_address

PROXIES = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        # Whoever is no trusted proxy speaks for itself only.
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        # The client's own entries stand on the left and are not believed.
        ("10.0.0.2", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "1.2.3.4, nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("::ffff:10.0.0.2", "198.51.100.1", "198.51.100.1"),
        # One /64 is one household.
        ("2001:db8:1:2:aaaa::1", None, "2001:db8:1:2::"),
        ("fd00::1", "[2001:db8:1:2:bbbb::9]", "2001:db8:1:2::"),
        (None, "198.51.100.1", None),
        ("unix", None, None),
    ],
)
def test_the_address_is_the_last_one_that_nobody_untrusted_claims(
    peer: str | None, forwarded: str | None, address: str | None
) -> None:
    assert client_address(peer, forwarded, PROXIES) == address
