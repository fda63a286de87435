"""Who may be reached, what a Host names, which system calls pass."""

from __future__ import annotations

import errno
import ipaddress
import struct

import pytest

from vibekit_jupyter.local_sandbox.addresses import is_public
from vibekit_jupyter.local_sandbox.egress import Policy
from vibekit_jupyter.local_sandbox.ports import preview_target
from vibekit_jupyter.local_sandbox.supervisor.seccomp import Sockets, build_filter

ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
        *("169.254.169.254", "100.100.100.200", "100.64.0.1", "168.63.129.16", "224.0.0.1"),
        *("255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::", "64:ff9b::7f00:1"),
    ],
)
def test_what_is_not_public_is_never_reached(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


# IANA's registries of special-purpose addresses, row by row, as of October 2026.
REGISTRY = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32
192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.88.99.2/32 192.168.0.0/16
192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 255.255.255.255/32
::1/128 ::/128 ::ffff:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32
2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28
2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7
fe80::/10
"""
# Of other registries: multicast, and IPv6 that was never given out or is not any more.
BESIDE = "224.0.0.0/4 ff00::/8 ::/96 fec0::/10 4000::/3 ::ffff:0:0:0/96"
# What lies just outside of a row, and is the public internet.
NEIGHBOURS = """
1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0 192.31.195.255
192.31.197.0 192.52.192.255 192.52.194.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0
192.175.47.255 192.175.49.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255
203.0.114.0 223.255.255.255 2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 2620:4f:7fff::
2620:4f:8001:: 3ffe:ffff:: 3fff:1000:: 64:ff9b::808:808
"""


@pytest.mark.parametrize("block", (REGISTRY + BESIDE).split())
def test_no_address_of_a_special_purpose_is_public(block: str) -> None:
    network = ipaddress.ip_network(block)
    for number in {0, network.num_addresses // 2, network.num_addresses - 1}:
        assert not is_public(network[number])


@pytest.mark.parametrize("address", NEIGHBOURS.split())
def test_what_lies_beside_a_special_purpose_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_what_is_public_is_reached_unless_it_is_this_machine() -> None:
    address = ipaddress.ip_address("8.8.8.8")
    assert is_public(address)
    assert not is_public(address, [address])


@pytest.mark.parametrize(
    ("host", "permitted"),
    [
        ("example.com", True),
        ("example.com.evil.org", False),
        ("evil-example.com", False),
        ("sub.example.com", False),
        ("a.b.wild.org", True),
        ("wild.org", False),
    ],
)
def test_an_allowed_name_allows_no_look_alike(host: str, *, permitted: bool) -> None:
    policy = Policy(allow=("example.com", "*.wild.org"), deny=("0.0.0.0/0",))
    assert policy.permits(host, ipaddress.ip_address("8.8.8.8")) is permitted


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
@pytest.mark.parametrize("network", [{"denyOut": ["0.0.0.0/0"]}, {"allow_internet_access": False}])
def test_what_is_all_denied_is_denied_by_either_protocol(
    network: dict[str, object], address: str
) -> None:
    where = ipaddress.ip_address(address)
    assert not Policy.of(network).permits("example.com", where)
    assert Policy.of({**network, "allowOut": ["example.com"]}).permits("example.com", where)


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("8000-abc123.localhost:4000", (8000, "abc123")),
        ("8000-ABC123.LOCALHOST:4000", (8000, "abc123")),
        ("localhost:4000", None),
        ("127.0.0.1:4000", None),
        ("8000-abc.localhost.evil.org", None),
        ("8000-abc.evil.org:80", None),
        ("99999-abc.localhost:1", None),
        ("x8000-abc.localhost:1", None),
        ("8000-abc.localhost\n", None),
    ],
)
def test_a_host_names_a_port_exactly_or_not_at_all(
    host: str, target: tuple[int, str] | None
) -> None:
    assert preview_target(host) == target


def run_filter(program: bytes, number: int, *arguments: int, arch: int = 0xC000003E) -> int:
    """Interpret a filter as the kernel does; return its verdict."""
    data = struct.pack("=IIQ6Q", number, arch, 0, *(*arguments, *([0] * (6 - len(arguments)))))
    code = [struct.unpack_from("HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x45:
                at += if_true if accumulator & value else if_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(operation)


NAMESPACES = build_filter("x86_64", namespaces=True, sockets=Sockets(unix=True, internet="all"))
CLOSED = build_filter("x86_64", namespaces=False, sockets=Sockets(unix=False, internet="none"))
PROXIED = build_filter("x86_64", namespaces=False, sockets=Sockets(unix=False, internet="connect"))
SOCKET, STREAM, CLOEXEC = 41, 1, 0o2000000


@pytest.mark.parametrize("program", [NAMESPACES, CLOSED, PROXIED])
def test_doors_out_of_any_sandbox_are_shut(program: bytes) -> None:
    for number in (101, 165, 272, 308, 321, 323, 425, 426, 427, 250, 161, 304):
        assert run_filter(program, number) == EPERM
    assert run_filter(program, 435) == ENOSYS  # clone3
    assert run_filter(program, 56, 0x10000000 | 17) == EPERM  # clone into a namespace
    assert run_filter(program, 56, 0x01200000 | 17) == ALLOW
    assert run_filter(program, 16, 0, 0x5412) == EPERM  # TIOCSTI
    assert run_filter(program, 16, 0, 0x5413) == ALLOW
    assert run_filter(program, 90, 0, 0o4755) == EPERM  # chmod to a setuid program
    assert run_filter(program, 268, 0, 0, 0o2755) == EPERM
    assert run_filter(program, 90, 0, 0o755) == ALLOW
    assert run_filter(program, 1) == ALLOW
    assert run_filter(program, 1 | 0x40000000) == ENOSYS  # x32
    assert run_filter(program, 1, arch=0x40000003) == 0x80000000  # i386


@pytest.mark.parametrize(
    ("program", "arguments", "verdict"),
    [
        (NAMESPACES, (2, STREAM, 0), ALLOW),
        (NAMESPACES, (1, STREAM, 0), ALLOW),
        (NAMESPACES, (40, STREAM, 0), EPERM),
        (NAMESPACES, (17, 3, 0), EPERM),
        (CLOSED, (2, STREAM, 0), EPERM),
        (CLOSED, (1, STREAM, 0), EPERM),
        (CLOSED, (16, 3, 0), ALLOW),
        (CLOSED, (16, 3, 9), EPERM),
        (PROXIED, (2, STREAM | CLOEXEC, 0), ALLOW),
        (PROXIED, (2, STREAM, 6), ALLOW),
        (PROXIED, (10, STREAM, 262), EPERM),
        (PROXIED, (2, 2, 0), EPERM),
        (PROXIED, (1, STREAM, 0), EPERM),
    ],
)
def test_sockets_are_those_that_the_level_means(
    program: bytes, arguments: tuple[int, ...], verdict: int
) -> None:
    assert run_filter(program, SOCKET, *arguments) == verdict


def test_without_namespaces_other_processes_are_out_of_reach() -> None:
    assert run_filter(CLOSED, 302, 0) == ALLOW  # prlimit64 on oneself
    assert run_filter(CLOSED, 302, 4242) == EPERM
    assert run_filter(CLOSED, 44, 3, 0, 0, 0x20000000) == EPERM  # MSG_FASTOPEN
    old = build_filter(
        "x86_64", namespaces=False, sockets=Sockets(unix=False, internet="none"), landlock_abi=5
    )
    assert run_filter(old, 62, 0xFFFFFFFF) == EPERM  # kill(-1) would reach the whole user
    assert run_filter(old, 62, 4242) == ALLOW


def test_another_machine_is_refused_and_not_guessed() -> None:
    with pytest.raises(OSError, match="no system call table for riscv64"):
        build_filter("riscv64", namespaces=True, sockets=Sockets(unix=True, internet="all"))
