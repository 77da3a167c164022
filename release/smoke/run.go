package smoke

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// An outcome is what became of a program.
type outcome struct {
	notStarted string // why it never ran, "" when it did
	noProgram  bool   // it never ran because it is no program
	network    string // NetworkNone or NetworkNotIsolated
	output     []byte
	ended      bool // by itself, with exitCode
	exitCode   int
	signal     string // what ended it, else
	tooLong    bool
	tooMuch    bool
}

// Why a program is stopped.
var (
	errTooLong = errors.New("time limit")
	errTooMuch = errors.New("output limit")
)

// killGrace is how long the output of a program that has ended may stay open in the
// hands of its children before they are killed.
const killGrace = time.Second

// run starts a program and waits for its end. The error is that of ctx alone.
func run(ctx context.Context, program, home string, args []string, limit time.Duration) (outcome, error) {
	// The kernel ends an isolated program when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	limited, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	timer := time.AfterFunc(limit, func() { stop(errTooLong) })
	defer timer.Stop()

	command := func() (*exec.Cmd, *output) {
		cmd := exec.CommandContext(limited, program, args...)
		out := &output{stop: stop}
		cmd.Args[0] = filepath.Base(program)
		cmd.Dir, cmd.Env, cmd.WaitDelay = home, []string{"HOME=" + home}, killGrace
		cmd.Stdout, cmd.Stderr = out, out
		ownGroup(cmd)
		return cmd, out
	}
	if err := keepOpenFiles(); err != nil {
		return notStarted(err), ctx.Err()
	}
	network := NetworkNone
	cmd, out := command()
	err := errNotIsolated
	if isolate(cmd) {
		err = cmd.Start()
	}
	if refused(err) {
		network = NetworkNotIsolated
		cmd, out = command()
		err = cmd.Start()
	}
	if err != nil {
		return notStarted(err), ctx.Err()
	}
	err = cmd.Wait()
	killGroup(cmd)
	cause := context.Cause(limited)
	result := outcome{network: network, output: out.data.Bytes(), tooLong: errors.Is(cause, errTooLong), tooMuch: errors.Is(cause, errTooMuch)}
	if state := cmd.ProcessState; state.Exited() && cause == nil {
		result.ended, result.exitCode = true, state.ExitCode()
	} else if err != nil {
		result.signal = state.String()
	}
	return result, ctx.Err()
}

// errNotIsolated says that this system knows no isolation.
var errNotIsolated = errors.New("no isolation")

// notStarted says why a program never ran, without this machine's paths.
func notStarted(err error) outcome {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return outcome{notStarted: "it could not be started: " + err.Error(), noProgram: noProgram(err)}
}

// An output keeps what a program writes and stops one that writes too much.
type output struct {
	data bytes.Buffer
	stop context.CancelCauseFunc
}

// Write takes what still fits.
func (o *output) Write(p []byte) (int, error) {
	room := maxOutput - o.data.Len()
	if len(p) > room {
		o.data.Write(p[:room])
		o.stop(errTooMuch)
		return room, errTooMuch
	}
	return o.data.Write(p)
}
