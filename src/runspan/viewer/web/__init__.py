"""The viewer's HTTP side: OTLP in, pages out. Needs the extra `runspan[ui]`."""
