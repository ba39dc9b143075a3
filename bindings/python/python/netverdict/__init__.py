# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What happens to a flow under Cilium and Kubernetes network policies, and why.

    import netverdict

    with netverdict.Engine() as engine:
        for problem in engine.apply("shop.yaml", yaml):
            print(problem["file"], problem["line"], problem["message"])
        engine.commit()
        why = engine.explain("shop/web", "shop/db", port="5432/TCP")
        print(why["verdict"])

An :class:`Engine` takes documents and objects, which count from the next
:meth:`Engine.commit`; questions are answered about the last commit. A
:class:`View` is a verdict table that does not change: it answers packed arrays
of questions in one call. Engines and views may be used from any thread.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native
from ._error import Error

if TYPE_CHECKING:
    from typing_extensions import Buffer, Self

__all__ = [
    "EGRESS",
    "INGRESS",
    "Engine",
    "Error",
    "MapUpdate",
    "OriginRule",
    "Policy",
    "ProxyPort",
    "Subject",
    "Update",
    "Verdict",
    "View",
    "Write",
    "answer_layer7",
    "answer_scenario",
    "compile_scenario",
    "pack_questions",
    "unpack_verdicts",
]

INGRESS = 0
EGRESS = 1

_QUESTION = struct.Struct("=IIHBBBBH")
_VERDICT = struct.Struct("=HBBhBBII")


class Verdict(NamedTuple):
    """What becomes of a packet."""

    #: 0 when it passes, else minus Cilium's drop reason: -133 no rule allows
    #: it, -157 likewise for an untracked fragment, -181 a rule denies it, -189
    #: authentication is required first.
    code: int
    #: The proxy's port; 0 for none.
    proxy_port: int
    #: 0 none, 1 L3-Only, 2 L3-L4, 3 L4-Only, 4 all, 5 L3-Proto, 6 Proto-Only.
    match_type: int
    #: 1 a rule denies; 128 the table has no such subject.
    flags: int
    #: Authentication type in effect; 0 for none.
    auth_type: int
    #: Prefix length of the entry it is inherited from; 255 for none.
    auth_donor: int
    #: The policy log cookie; 0 for none.
    cookie: int

    @property
    def allowed(self) -> bool:
        """True when the packet passes, be it by way of a proxy."""
        return self.code == 0

    def __str__(self) -> str:
        """``allow``, ``redirect``, ``auth-required``, ``deny`` or ``default-deny``."""
        if self.code == 0:
            return "redirect" if self.proxy_port else "allow"
        return {-181: "deny", -189: "auth-required"}.get(self.code, "default-deny")


class Subject(NamedTuple):
    """Where an endpoint stands in the table."""

    subject: int
    endpoint: int
    identity: int


class MapUpdate(NamedTuple):
    """What is to be done to the policy map of each of some subjects: put the
    keys with their values, then delete keys. Packed, 12 bytes each."""

    subjects: list[int]
    put_keys: bytes
    put_values: bytes
    delete_keys: bytes

    def __repr__(self) -> str:
        """Without the bytes, which may be megabytes."""
        put, delete = len(self.put_keys) // 12, len(self.delete_keys) // 12
        return f"MapUpdate(subjects={self.subjects}, put={put}, delete={delete})"


class Write(NamedTuple):
    """One step of bringing a copy of the image up to date. ``kind``: 0 bytes
    that nothing leads to yet, 1 and 2 a word of 2 or 8 bytes that is one aligned
    store after all before, 3 a whole new image."""

    kind: int
    at: int
    data: bytes

    def __repr__(self) -> str:
        """Without the bytes, which may be megabytes."""
        return f"Write(kind={self.kind}, at={self.at}, bytes={len(self.data)})"


class Update(NamedTuple):
    """What a commit changed."""

    revision: int
    #: Every policy map is to be emptied first.
    whole: bool
    maps: list[MapUpdate]
    writes: list[Write]


class Policy(NamedTuple):
    """The policy of an endpoint."""

    subject: str
    identity: int
    ingress_enforced: bool
    egress_enforced: bool
    #: Every entry with the rules behind it.
    entries: list[dict[str, Any]]
    #: The policy map, packed, 12 bytes a key.
    keys: bytes
    #: As many values of 12 bytes.
    values: bytes

    def __repr__(self) -> str:
        """Without the bytes; :attr:`entries` says the same in words."""
        return (
            f"Policy(subject={self.subject!r}, identity={self.identity}, "
            f"ingress_enforced={self.ingress_enforced}, egress_enforced={self.egress_enforced}, "
            f"entries={len(self.entries)})"
        )


class OriginRule(NamedTuple):
    """A rule behind a verdict, and where it is written."""

    rule: str
    path: str
    file: str
    line: int
    column: int
    #: Nothing but the authentication comes from it.
    authentication: bool


class ProxyPort(NamedTuple):
    """Where a redirect leads."""

    #: :data:`INGRESS` or :data:`EGRESS`.
    direction: int
    #: IP protocol number.
    protocol: int
    #: The port that redirects.
    port: int
    proxy_port: int
    #: Of the subject; 0 for every one without a port of its own.
    identity: int = 0
    #: Qualified name of a custom listener.
    listener: str = ""


def _pairs(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    return list(labels.items())


def _question(
    from_: str,
    to: str,
    port: str | int,
    icmp: str,
    icmpv6: str,
    fragment: bool,
    http: Mapping[str, Any] | None,
    dns: str | None,
    sni: str | None,
    secrets: Mapping[str, str] | None,
) -> str:
    question: dict[str, Any] = {
        "from": from_,
        "to": to,
        "port": port if isinstance(port, str) else f"{port}/TCP",
        "icmp": icmp,
        "icmpv6": icmpv6,
        "fragment": fragment,
        "http": http,
        "dns": dns,
        "sni": sni,
        "secrets": secrets or {},
    }
    return json.dumps(question)


def pack_questions(
    questions: Iterable[tuple[int, int, int, int, int]],
) -> bytearray:
    """Packs questions for :meth:`View.verdicts`: subject, direction, identity,
    protocol and port each."""
    packed = bytearray()
    for subject, direction, identity, protocol, port in questions:
        packed += _QUESTION.pack(subject, identity, port, protocol, direction, 0, 0, 0)
    return packed


def unpack_verdicts(verdicts: Buffer) -> list[Verdict]:
    """The verdicts of a packed array."""
    return [
        Verdict(code, proxy_port, match_type, flags, auth_type, auth_donor, cookie)
        for proxy_port, flags, auth_type, code, match_type, auth_donor, cookie, _ in _VERDICT.iter_unpack(
            memoryview(verdicts).cast("B")
        )
    ]


class View:
    """A verdict table that was checked and does not change."""

    def __init__(self, image: Buffer) -> None:
        """Checks an image completely and copies it."""
        self._native = _native.View(image)

    @classmethod
    def _of(cls, native: _native.View) -> View:
        view = cls.__new__(cls)
        view._native = native
        return view

    def close(self) -> None:
        """Frees the table now. Closing twice does nothing."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def verdict(
        self,
        subject: int,
        identity: int,
        protocol: int,
        port: int,
        direction: int = INGRESS,
        *,
        icmp_code: int = 0,
        fragment: bool = False,
    ) -> Verdict:
        """What becomes of a packet. For many of them use :meth:`verdicts`."""
        return Verdict._make(
            self._native.verdict(
                subject, direction, identity, protocol, port, icmp_code, fragment
            )
        )

    def verdicts(self, questions: Buffer, verdicts: Buffer | None = None) -> Buffer:
        """Answers packed questions, 16 bytes each (:func:`pack_questions`), into
        a buffer of packed verdicts, 16 bytes each, which is returned
        (:func:`unpack_verdicts`). Buffers are anything contiguous: bytearray,
        array, memoryview, numpy array. The interpreter is not held meanwhile."""
        questions = memoryview(questions).cast("B")
        if verdicts is None:
            verdicts = bytearray(len(questions))
        self._native.verdicts(questions, memoryview(verdicts).cast("B"))
        return verdicts

    def columns(
        self,
        subject: int,
        direction: int,
        identities: Buffer,
        protocols: Buffer,
        ports: Buffer,
        verdicts: Buffer | None = None,
    ) -> Buffer:
        """As :meth:`verdicts`, for questions about one subject given as columns:
        buffers of 32-bit identities, 8-bit protocols and 16-bit ports."""
        if verdicts is None:
            verdicts = bytearray(16 * len(memoryview(protocols)))
        self._native.columns(
            subject,
            direction,
            identities,
            protocols,
            ports,
            memoryview(verdicts).cast("B"),
        )
        return verdicts

    def origin(
        self, subject: int, identity: int, protocol: int, port: int, direction: int = INGRESS
    ) -> list[OriginRule]:
        """The rules behind a verdict. Raises ``NETVERDICT_NOT_FOUND`` when the
        table was made without them; :meth:`Engine.compile` makes one with."""
        found = self._native.origin(subject, direction, identity, protocol, port)
        return [OriginRule._make(rule) for rule in found]

    def image(self) -> bytes:
        """The bytes of the table."""
        return self._native.image()

    def subject_of_identity(self, identity: int) -> int | None:
        """The subject of an identity."""
        return self._native.subject_of_identity(identity)

    def subject_of_endpoint(self, endpoint: int) -> int | None:
        """The subject of an endpoint's number."""
        return self._native.subject_of_endpoint(endpoint)


class Engine:
    """The objects of a cluster, and what follows from them."""

    def __init__(
        self, options: Mapping[str, Any] | None = None, *, identities: bytes = b""
    ) -> None:
        """``options``: ``config`` (agent options as in a scenario,
        ``{"enforcement": "always"}``), ``localNode``, ``identityLabels``,
        ``names``, ``defaultNamespace``, ``strictness`` and others
        (docs/c-abi.md); ``identities``: what :meth:`save_identities` gave."""
        self._native = _native.Engine(
            json.dumps(options) if options else "", identities
        )

    def close(self) -> None:
        """Frees the engine now. Closing twice does nothing."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def apply(self, name: str, document: str) -> list[dict[str, Any]]:
        """Stages a document: YAML or JSON with any number of Kubernetes objects,
        in place of what a document of that name held. Returns diagnostics:
        ``code``, ``severity``, ``message``, ``file``, ``line``, ``column``, …"""
        return json.loads(self._native.apply(name, document))

    def check(self, name: str, document: str) -> list[dict[str, Any]]:
        """What there is to say about a document, without taking it."""
        return json.loads(self._native.check(name, document))

    def remove(self, name: str) -> None:
        """Stages that a document goes."""
        self._native.remove(name)

    def set_identity(self, identity: int, labels: Mapping[str, str]) -> None:
        """Stages a number with its labels, ``{"k8s:app": "web"}``."""
        self._native.set_identity(identity, _pairs(labels))

    def remove_identity(self, identity: int) -> None:
        """Stages that an identity that was set goes."""
        self._native.remove_identity(identity)

    def set_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """Stages a namespace."""
        self._native.set_namespace(name, _pairs(labels))

    def remove_namespace(self, name: str) -> None:
        """Stages that a namespace that was set goes."""
        self._native.remove_namespace(name)

    def set_endpoint(
        self,
        namespace: str,
        name: str,
        *,
        labels: Mapping[str, str],
        identity: int = 0,
        node: str = "",
        addresses: Sequence[str] = (),
        ports: Iterable[tuple[str, int, int]] = (),
    ) -> None:
        """Stages a pod. Its ``labels`` are those of the pod, or of its identity
        (``k8s:app``) when that is given; ``ports``: name, IP protocol number and
        port each."""
        self._native.set_endpoint(
            namespace, name, node, identity, _pairs(labels), list(addresses), list(ports)
        )

    def remove_endpoint(self, namespace: str, name: str) -> None:
        """Stages that a pod that was set goes."""
        self._native.remove_endpoint(namespace, name)

    def set_service(
        self,
        namespace: str,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        selector: Mapping[str, str] | None = None,
        addresses: Sequence[str] = (),
    ) -> None:
        """Stages a service."""
        self._native.set_service(
            namespace, name, _pairs(labels or {}), _pairs(selector or {}), list(addresses)
        )

    def remove_service(self, namespace: str, name: str) -> None:
        """Stages that a service that was set goes."""
        self._native.remove_service(namespace, name)

    def set_name(self, name: str, addresses: Sequence[str]) -> None:
        """Stages what DNS says of a name; no addresses forget it."""
        self._native.set_name(name, list(addresses))

    def learn(
        self, name: str, addresses: Sequence[str], *, ttl: int, at: int, endpoint: int = 0
    ) -> None:
        """Stages an answer of DNS as it passed: the name asked for, the addresses
        of all records, the shortest time to live in seconds, when in milliseconds
        since any moment, and who asked, any number. Raises ``NETVERDICT_FULL`` when
        too much is held already."""
        self._native.learn(name, list(addresses), ttl, at, endpoint)

    def keep_alive(self, endpoint: int, address: str, at: int) -> None:
        """A connection of the endpoint to the address was seen alive: the address
        stays allowed though it expired."""
        self._native.keep_alive(endpoint, address, at)

    def end_keep_alive(self, endpoint: int, at: int) -> None:
        """All connections of the endpoint were looked through, beginning then."""
        self._native.end_keep_alive(endpoint, at)

    def forget_names(self, endpoint: int) -> None:
        """The endpoint is gone, and with it what it asked for."""
        self._native.forget_names(endpoint)

    def expire_names(self, at: int) -> None:
        """Stages that names lose the addresses that expired."""
        self._native.expire_names(at)

    def set_proxy_ports(self, ports: Iterable[ProxyPort]) -> None:
        """Stages where redirects lead. One that is not among them is not realised
        yet, and its entries are left out."""
        self._native.set_proxy_ports(
            [(p.identity, p.direction, p.protocol, p.port, p.proxy_port, p.listener) for p in ports]
        )

    def use_stand_in_ports(self) -> None:
        """Stages that redirects lead to stand-ins again."""
        self._native.use_stand_in_ports()

    def commit(self) -> Update:
        """Applies all that is staged at once, and brings the table up to date."""
        revision, whole, maps, writes = self._native.commit()
        return Update(
            revision,
            whole,
            [MapUpdate._make(m) for m in maps],
            [Write._make(w) for w in writes],
        )

    def end_grace_period(self) -> None:
        """Numbers of subjects that are gone may be used again."""
        self._native.end_grace_period()

    @property
    def revision(self) -> int:
        """How many commits there were."""
        return self._native.revision()

    def remarks(self) -> list[dict[str, Any]]:
        """What there is to say about how the committed objects fit together."""
        return json.loads(self._native.remarks())

    def verdict(
        self,
        from_: str,
        to: str,
        *,
        port: str | int = "",
        icmp: str = "",
        icmpv6: str = "",
        fragment: bool = False,
        http: Mapping[str, Any] | None = None,
        dns: str | None = None,
        sni: str | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What happens to a flow: ``verdict``, and of each side with a policy,
        ``egress`` and ``ingress``, what it says and by which ``rules``. One of
        ``port`` (``"443/TCP"``), ``icmp`` and ``icmpv6`` (a type, or
        ``"type/code"``) is given.

        ``http`` (``method``, ``path``, ``host``, ``headers``), ``dns`` (a name) and
        ``sni`` (a server name) are sent on it: ``layer7`` then has the ``outcome``
        and the rules that were ``tried``."""
        question = _question(from_, to, port, icmp, icmpv6, fragment, http, dns, sni, secrets)
        return json.loads(self._native.verdict(question))

    def explain(
        self,
        from_: str,
        to: str,
        *,
        port: str | int = "",
        icmp: str = "",
        icmpv6: str = "",
        fragment: bool = False,
        http: Mapping[str, Any] | None = None,
        dns: str | None = None,
        sni: str | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """As :meth:`verdict`, with an ``explanation`` of each side: every rule that
        was a candidate, why it lost or won, and what would turn the verdict
        round."""
        question = _question(from_, to, port, icmp, icmpv6, fragment, http, dns, sni, secrets)
        return json.loads(self._native.explain(question))

    def reach(self, *, by_pod: bool = False, with_denied: bool = False) -> dict[str, Any]:
        """Who may talk to whom in the whole cluster: what ``netverdict reach -o json``
        prints."""
        return json.loads(self._native.reach(by_pod | with_denied << 1))

    def diff(self, old: "Engine", *, by_pod: bool = False) -> dict[str, Any]:
        """Exactly which connections are open here and not in ``old``, or the other way
        round, with the rules that decide: what ``netverdict diff -o json`` prints."""
        return json.loads(self._native.diff(old._native, int(by_pod)))

    def proxy_policy(self, endpoint: str) -> dict[str, Any]:
        """The policy of an endpoint as Cilium sends it to Envoy."""
        return json.loads(self._native.proxy_policy(endpoint))

    def compile(self) -> bytes:
        """A table that stays as it is, with the rules behind its verdicts
        (:meth:`View.origin`)."""
        return self._native.compile()

    def identity(self, of: str) -> int:
        """The identity of an endpoint, address, prefix or entity."""
        return self._native.identity(of)

    def identity_labels(self, identity: int) -> list[str]:
        """The labels of an identity, ``source:key=value``."""
        return json.loads(self._native.identity_labels(identity))

    def subject(self, endpoint: str) -> Subject:
        """Where an endpoint stands in the table."""
        return Subject._make(self._native.subject(endpoint))

    def policy(self, endpoint: str) -> Policy:
        """The policy of an endpoint, or of ``host``."""
        text, keys, values = self._native.policy(endpoint)
        told = json.loads(text)
        return Policy(
            told["subject"],
            told["identity"],
            told["ingressEnforced"],
            told["egressEnforced"],
            told["entries"],
            keys,
            values,
        )

    def view(self) -> View:
        """A view of the table as of the last commit."""
        return View._of(self._native.view())

    def image(self) -> bytes:
        """The bytes of the table as of the last commit."""
        return self._native.image()

    def save_identities(self) -> bytes:
        """The numbers of identities, for the next engine."""
        return self._native.save_identities()


def answer_scenario(scenario: Mapping[str, Any] | str) -> dict[str, Any]:
    """Answers a scenario (testdata/README.md)."""
    text = scenario if isinstance(scenario, str) else json.dumps(scenario)
    return json.loads(_native.answer_scenario(text))


def compile_scenario(scenario: Mapping[str, Any] | str) -> bytes:
    """The table of a scenario's endpoints."""
    text = scenario if isinstance(scenario, str) else json.dumps(scenario)
    return _native.compile_scenario(text)


def answer_layer7(kind: str, question: Mapping[str, Any] | str) -> dict[str, Any]:
    """Answers a question about layer 7 in the exchange format: ``kind`` is
    ``dns``, ``http``, ``sni``, ``fqdn`` or ``proxy``."""
    text = question if isinstance(question, str) else json.dumps(question)
    return json.loads(_native.answer_layer7(kind, text))
