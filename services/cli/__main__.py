"""The operators' command: `veche VERB`."""


def main() -> None:
    raise SystemExit("coming")
