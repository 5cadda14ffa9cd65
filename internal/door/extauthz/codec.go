package extauthz

import (
	"fmt"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// received is the message of a call, or why it cannot be read.
type received struct {
	check authv3.CheckRequest
	// tooLarge is set, and check is empty, when the message is over the limit.
	tooLarge bool
	err      error
}

// codec reads messages for gRPC. A check that cannot be read is no error to gRPC, which would answer it by one.
type codec struct {
	encoding.CodecV2
	limit int64
}

func newCodec(limit int64) codec { return codec{encoding.GetCodecV2(proto.Name), limit} }

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*received)
	switch {
	case !ok:
		return c.CodecV2.Unmarshal(data, v)
	case int64(data.Len()) > c.limit:
		in.tooLarge = true
		in.err = fmt.Errorf("the check has %d bytes, over limits.body_bytes of the listener: raise it, or lower "+
			"max_request_bytes of Envoy", data.Len())
	default:
		in.err = c.CodecV2.Unmarshal(data, &in.check)
	}
	return nil
}
