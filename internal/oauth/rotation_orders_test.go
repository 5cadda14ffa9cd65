package oauth_test

import (
	"testing"
	"testing/synctest"

	"github.com/authz-sidecar/sidecar/internal/testkit"
)

// TestNoRequestFailsInAnyOrderOfRotations: three rotations in a row, in each pair of orders, in the time of a bubble.
func TestNoRequestFailsInAnyOrderOfRotations(t *testing.T) {
	for first, rotateFirst := range orders {
		for second, rotateSecond := range orders {
			t.Run(first+", "+second, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := &rotating{served: map[int]int{}, denied: map[int]int{}}
					r.accept(0)
					s, name := openBasic(t, secretOf(0), func(password string) int {
						if r.judge(generationOf(password)) {
							return 200
						}
						return 401
					})
					r.write = func(g int) { testkit.WriteFile(t, name, secretOf(g)) }
					answered(t, s)
					l := startLoad(t, s)
					for next := 1; next <= rotations; next++ {
						rotate := rotateFirst
						if next%2 == 0 {
							rotate = rotateSecond
						}
						rotate(t, r, next)
						testkit.Eventually(t, "the new one is used", func() bool { return r.count(r.served, next) > 0 })
					}
					l.done(t)
				})
			})
		}
	}
}
