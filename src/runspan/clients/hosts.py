"""Which provider serves a host: the value of `gen_ai.provider.name`."""

from __future__ import annotations

from collections.abc import Mapping

OPENAI, AZURE = "openai", "azure.ai.openai"

# Azure OpenAI has one domain for each kind of resource, in each cloud; plain `OpenAI` clients use all of them (paths `/openai/v1`
# and `/api/projects/NAME/openai/v1`). The clouds: public, US government, China.
DOMAINS: Mapping[str, str] = {
    f"{service}.azure.{cloud}": AZURE
    for service in ("openai", "cognitiveservices", "services.ai", "api.cognitive")
    for cloud in ("com", "us", "cn")
} | {
    "api.cognitive.microsoft.com": AZURE,  # the regional endpoints, which all customers share
}


def provider_of(client: object, host: str | None) -> str:
    """By the client's class or a class above it, else by the host's domain. Any other server speaks OpenAI's API."""
    if any("Azure" in kind.__name__ for kind in type(client).__mro__):
        return AZURE
    labels = (host or "").lower().rstrip(".").split(".")
    domains = (".".join(labels[n:]) for n in range(1, len(labels)))
    return next((DOMAINS[domain] for domain in domains if domain in DOMAINS), OPENAI)
