"""Whether the portal of this container answers; its health check. The portal answers to its own address alone."""

from __future__ import annotations

import os
import urllib.request
from urllib.parse import urlsplit


def main() -> None:
    """Ask for /halsa as a browser would that came by the proxy.

    Raises:
        OSError: no answer, or not 200.
    """
    port = os.environ["FOLLOWUP_PORTAL_PORT"]
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/halsa", headers={"Host": urlsplit(os.environ["FOLLOWUP_PORTAL_URL"]).netloc}
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=5).close()


if __name__ == "__main__":
    main()
