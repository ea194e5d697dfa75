"""Where a span of the app's own goes: the tracer of a provider, and what is worked out once for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, StaticSampler, TraceIdRatioBased

from .. import _compat
from ..runtime import tracers
from ..runtime.active import Active
from .capture import Capture


@dataclass(slots=True, eq=False)
class Target:
    state: Active
    provider: Any
    tracer: Any
    capture: Capture
    asks_attributes: bool  # a sampler of the app's own may look at them
    max_attributes: int | None  # that one span keeps; None: all, or not known
    drops_unsampled: bool  # below an unsampled span all is unsampled: nothing to ask, nothing to make


def target(state: Active) -> Target:
    """Of a root span that begins now; its children inherit it."""
    provider = state.config.tracer_provider or state.provider()
    known: Target | None = state.targets.get(id(provider))
    if known is None:
        known = state.targets[id(provider)] = _made(state, state.provider())
    return known


def _made(state: Active, provider: Any) -> Target:
    tracer = tracers.of(provider)
    chars = state.config.limits.max_attribute_chars, _compat.span_limit(tracer, "max_span_attribute_length")
    return Target(
        state,
        provider,
        tracer,
        Capture(state.texts, min(most for most in chars if most is not None)),
        asks_attributes=not _is_of_sdk(getattr(provider, "sampler", None)),
        max_attributes=_compat.span_limit(tracer, "max_span_attributes"),
        drops_unsampled=_drops_unsampled(provider),
    )


# ParentBased says of itself which samplers it asks, the root's first.
_OFF_BELOW_UNSAMPLED = re.compile(
    r",remoteParentNotSampled:AlwaysOffSampler,localParentSampled:[^{},]*,localParentNotSampled:AlwaysOffSampler}$"
)
_ALWAYS = re.compile(r"ParentBased{(\w+:Always(On|Off)Sampler,?)+}")


def _drops_unsampled(provider: Any) -> bool:
    """True where that is known; a sampler of the app's own is asked each time."""
    sampler: Any = provider.sampler if isinstance(provider, TracerProvider) else None
    if isinstance(sampler, ParentBased) and type(sampler).should_sample is ParentBased.should_sample:
        return _OFF_BELOW_UNSAMPLED.search(_description(sampler)) is not None
    return type(sampler) is StaticSampler and _description(sampler) == "AlwaysOffSampler"


def _is_of_sdk(sampler: Any) -> bool:
    if type(sampler) is ParentBased:
        return _ALWAYS.fullmatch(_description(sampler)) is not None
    return type(sampler) in (StaticSampler, TraceIdRatioBased)


def _description(sampler: Any) -> str:
    try:
        return str(sampler.get_description())
    except Exception:  # one of the app's own below it: then it is asked each time
        return ""
