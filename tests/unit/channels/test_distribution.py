import pytest

from channels.distribution import check_packages
from hub.domain.errors import ConfigurationError


def test_our_own_packages_are_fine() -> None:
    check_packages({"channels": ["doorbell-hub"], "hub": ["doorbell-hub"], "jinja2": ["Jinja2"]})


def test_a_checkout_that_is_not_installed_is_fine() -> None:
    check_packages({})


def test_this_environment_is_fine() -> None:
    check_packages()


def test_another_channels_package_is_named() -> None:
    with pytest.raises(ConfigurationError, match="channels = channels: install doorbell-hub in an environment"):
        check_packages({"channels": ["doorbell-hub", "channels"]})
