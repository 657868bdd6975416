"""How often passwords may be tried: limits by address, by account and address, and by account.

Only the first two refuse. Whoever tries passwords of an account from many addresses slows its
logins down, but locks nobody out.
"""

import ipaddress
from dataclasses import dataclass

SLOW_SECONDS = 2.0
"""How long an attempt waits whose account is tried too often, s."""
MOST_KEYS = 2048
"""The largest number of addresses, and of accounts, that are remembered."""
IPV6_NETWORK = 64
"""The part of an IPv6 address that one customer has to choose from, bits."""


class Buckets:
    """Token buckets, one for each key. A full bucket is not kept.

    With too many keys the one that was used longest ago is forgotten.
    """

    def __init__(self, tokens: int, refill_s: float) -> None:
        """Begin with full buckets.

        Args:
            tokens: the attempts that a full bucket allows at once.
            refill_s: the time until one token comes back, s.
        """
        self._tokens, self._refill_s = tokens, refill_s
        self._left: dict[object, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._left)

    def left(self, key: object, now: float) -> float:
        """Return the tokens in a bucket."""
        left, at = self._left.get(key, (self._tokens, now))
        return min(self._tokens, left + max(0.0, now - at) / self._refill_s)

    def wait_s(self, key: object, now: float) -> float:
        """Return the time until there is a token in a bucket; 0: there is one."""
        return max(0.0, (1 - self.left(key, now)) * self._refill_s)

    def take(self, key: object, now: float) -> None:
        """Take a token; an empty bucket stays empty."""
        left = max(0.0, self.left(key, now) - 1)
        self._left.pop(key, None)
        self._left[key] = left, now  # the last one: the order is that of use
        if len(self._left) > MOST_KEYS:
            del self._left[next(iter(self._left))]

    def put_back(self, key: object, now: float) -> None:
        """Put a token back."""
        left = self.left(key, now) + 1
        if left >= self._tokens:
            self._left.pop(key, None)
        elif key in self._left:
            self._left[key] = left, now


@dataclass(frozen=True)
class Admission:
    """Whether a password may be tried.

    Attributes:
        refused_s: how long none may be tried from there, s; 0: it may be tried now.
        delay_s: how long the attempt has to wait first, s.
    """

    refused_s: float = 0.0
    delay_s: float = 0.0


class Throttle:
    """Limits attempts. Each takes a token of each bucket, and gives it back if it succeeds."""

    def __init__(self) -> None:
        """Begin without attempts."""
        self._addresses = Buckets(10, 10.0)
        self._pairs = Buckets(5, 20.0)
        self._accounts = Buckets(20, 5.0)

    def admit(self, address: str, account: str, now: float) -> Admission:
        """Decide on an attempt at `now`, monotonic s; tokens are taken if it is admitted."""
        source = network_of(address)
        pair = account, source
        refused_s = max(self._addresses.wait_s(source, now), self._pairs.wait_s(pair, now))
        if refused_s > 0:
            return Admission(refused_s=refused_s)
        slow = self._accounts.wait_s(account, now) > 0
        self._addresses.take(source, now)
        self._pairs.take(pair, now)
        self._accounts.take(account, now)
        return Admission(delay_s=SLOW_SECONDS if slow else 0.0)

    def succeed(self, address: str, account: str, now: float) -> None:
        """Give the tokens of a successful attempt back."""
        source = network_of(address)
        self._addresses.put_back(source, now)
        self._pairs.put_back((account, source), now)
        self._accounts.put_back(account, now)


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    if mapped is not None:
        return str(mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK), strict=False))
