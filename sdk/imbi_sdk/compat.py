"""Importing this module makes plugins written for Imbi importable.

It serves ``imbi_common.plugins`` and what plugins import beside it from this
package, where no imbi-common is installed; see ``imbi_sdk.serving``.
"""

from imbi_sdk.serving import install, is_served

__all__ = ["install", "is_served"]

install()
