"""The account at the stand-in for Twilio, also for those who do not want its server."""

ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "stand-in"  # noqa: S105 - of an account that is none
