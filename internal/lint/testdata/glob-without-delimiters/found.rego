allow if glob.match("/a/*", null, input.request.path)
