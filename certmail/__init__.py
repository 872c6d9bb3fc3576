"""certmail hands a TLS private key to Clever Cloud by signed and encrypted mail, or refuses.

The package is a library under a command line. Import the rooms you need
(``certmail.bundle``, ``certmail.key``, ``certmail.message``, ``certmail.delivery``); this module
stays empty so that ``certmail --version`` costs nothing.
"""

from typing import Final

__version__: Final = "0.1.0"
