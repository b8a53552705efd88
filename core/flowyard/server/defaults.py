"""What the command has to know of a server before it loads one."""

from __future__ import annotations

TOKEN_VARIABLE = "DAPR_API_TOKEN"  # noqa: S105 - the name of the variable
APP_TOKEN_VARIABLE = "APP_API_TOKEN"  # noqa: S105 - the name of the variable
DAPRD_TOKEN_VARIABLE = "DAPR_UPSTREAM_API_TOKEN"  # noqa: S105 - the name of the variable
"""The token of the daprd that `--dapr` names."""

# Workers before 1.19 take what gRPC takes by default, and hang up on more; later ones announce
# what they are capable of, and take anything.
OLD_WORKERS_LIMIT = 4 * 1024 * 1024
