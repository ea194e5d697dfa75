"""Where a span of the app's own goes: the tracer of a provider, and what is worked out once for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, StaticSampler, TraceIdRatioBased

from ..guard import swallow
from ..runtime import tracers
from ..runtime.active import Active
from ..runtime.emit import SCOPE
from .capture import Capture


@dataclass(slots=True, eq=False)
class Target:
    state: Active
    provider: Any
    tracer: Any
    capture: Capture
    asks_attributes: bool  # a sampler of the app's own may look at them
    drops_unsampled: bool  # below an unsampled span all is unsampled: nothing to ask, nothing to make


def target(state: Active) -> Target:
    """Of a root span that begins now; its children inherit it."""
    provider = state.config.tracer_provider or state.provider()
    found = state.targets.get(id(provider))
    if found is None:
        found = state.targets[id(provider)] = _make(state, state.provider())
    known: Target = found
    return known


def _make(state: Active, provider: Any) -> Target:
    limits = getattr(provider, "_span_limits", None)
    of_sdk = getattr(limits, "max_span_attribute_length", None)
    max_chars = (
        state.config.max_attribute_chars if of_sdk is None else min(state.config.max_attribute_chars, of_sdk)
    )
    texts = replace(state.texts, on_error=_redaction_failed)
    tracer = tracers.of(provider, SCOPE)
    return Target(
        state,
        provider,
        tracer,
        Capture(texts, max_chars),
        asks_attributes=not _is_of_sdk(getattr(provider, "sampler", None)),
        drops_unsampled=_drops_unsampled(provider),
    )


def _redaction_failed(error: Exception) -> None:
    swallow("redact a text (it was dropped)", error)


def _drops_unsampled(provider: Any) -> bool:
    """True where that is known; a sampler of the app's own is asked each time."""
    sampler = provider.sampler if isinstance(provider, TracerProvider) else None
    if isinstance(sampler, ParentBased) and type(sampler).should_sample is ParentBased.should_sample:
        return _is_off(sampler._local_parent_not_sampled) and _is_off(sampler._remote_parent_not_sampled)
    return sampler is not None and _is_off(sampler)


def _is_of_sdk(sampler: Any) -> bool:
    if type(sampler) is ParentBased:
        delegates = (sampler._root, sampler._local_parent_sampled, sampler._remote_parent_sampled)
        return all(_is_of_sdk(delegate) for delegate in delegates)
    return type(sampler) in (StaticSampler, TraceIdRatioBased)


def _is_off(sampler: Sampler) -> bool:
    return isinstance(sampler, StaticSampler) and sampler._decision is Decision.DROP
