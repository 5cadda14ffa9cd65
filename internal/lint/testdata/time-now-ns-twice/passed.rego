allow if time.now_ns() - 5 < time.parse_rfc3339_ns("2030-01-01T00:00:00Z")
