"""What schemathesis has to be told of the description: a media type that it does not know is text."""

import schemathesis

schemathesis.serializer.alias("application/secevent+jwt", "text/plain")
