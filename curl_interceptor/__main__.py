"""Makes `python -m curl_interceptor` the same as `curl-interceptor`."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
