"""`python -m launcher` is `cniwire`."""

import sys

from launcher.main import main

sys.exit(main())
