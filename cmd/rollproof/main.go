// Rollproof takes a Go repository from a commit to production and leaves evidence
// that anyone can check offline with one pinned key.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // windows of a policy name zones, and not every machine has them
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := newProgram(os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	code := p.run(ctx)
	stop()
	os.Exit(code)
}
