default open := true

open := false if input.request.method == "POST"

allow if open

# ---

default deny := true

deny := false if input.token.active

allow if not deny
