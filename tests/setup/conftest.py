from tests.support.fixtures import receiver, server

__all__ = ["receiver", "server"]
