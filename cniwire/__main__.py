"""python -m cniwire."""

import sys

from cniwire import main

sys.exit(main())
