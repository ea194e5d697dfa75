"""The exception that users see."""


class ConfigError(ValueError):
    """A setting is wrong. The message says what to write instead."""
