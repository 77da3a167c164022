package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
	"github.com/rollproof/rollproof/evidence/sqlite"
	"github.com/rollproof/rollproof/evidence/storetest"
)

// TestMain lets this program be a writer of its own: with writerFile it opens the
// store and records rollouts, printing the number of each one that is acknowledged.
func TestMain(m *testing.M) {
	if file := os.Getenv(writerFile); file != "" {
		if err := write(file, os.Getenv(writerRange)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	writerFile  = "ROLLPROOF_TEST_WRITER_FILE"
	writerRange = "ROLLPROOF_TEST_WRITER_RANGE" // "FROM COUNT BATCH"
)

func write(file, numbers string) error {
	var from, count, batch int
	if _, err := fmt.Sscan(numbers, &from, &count, &batch); err != nil {
		return err
	}
	ctx := context.Background()
	s, err := sqlite.Open(ctx, file, time.Now)
	if err != nil {
		return err
	}
	for n := from; n < from+count; n += batch {
		var records []evidence.Record
		for k := range batch {
			r, err := storetest.Intake().Examine(storetest.Rollout(n + k))
			if err != nil {
				return err
			}
			records = append(records, r)
		}
		if _, err := evidence.Add(ctx, s, records); err != nil {
			return err
		}
		fmt.Println(n)
	}
	return s.Close()
}

func writer(ctx context.Context, file string, from, count, batch int) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0])
	c.Env = append(os.Environ(), writerFile+"="+file, fmt.Sprintf("%s=%d %d %d", writerRange, from, count, batch))
	c.Stderr = os.Stderr
	return c
}

// acknowledged starts a writer, kills it after a time, and returns the numbers that
// it had printed.
func acknowledged(t *testing.T, file string, from, batch int, after time.Duration) []int {
	t.Helper()
	c := writer(t.Context(), file, from, 100_000, batch)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	var numbers []int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			break // a line that the kill cut
		}
		numbers = append(numbers, n)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the writer was to be killed: %v", err)
	}
	return numbers
}

// crashes is how often TestKilledWriters kills; ROLLPROOF_KILLS sets another number.
const crashes = 20

// Nothing that was acknowledged is lost, and nothing is left half done, whenever the
// writing process dies.
func TestKilledWriters(t *testing.T) {
	times := crashes
	if text := os.Getenv("ROLLPROOF_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		times = n
	}
	file := filepath.Join(t.TempDir(), "evidence.db")
	total := 0
	for n := range times {
		batch := 1 + n%3
		numbers := acknowledged(t, file, n*100_000, batch, time.Duration(rand.Int64N(int64(150*time.Millisecond))))
		total += len(numbers)
		s, err := sqlite.Open(t.Context(), file, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range numbers {
			for k := range batch {
				act := storetest.Examine(t, storetest.Rollout(number+k)).Act
				if _, err := s.Find(t.Context(), act.Hex()); err != nil {
					t.Errorf("kill %d: rollout %d was acknowledged: %v", n, number+k, err)
				}
			}
		}
		if n%8 == 7 || n == times-1 {
			storetest.Sound(t, s)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d transactions acknowledged", times, total)
	if total == 0 {
		t.Error("no writer lived long enough to write")
	}
}

// Processes that write at once, from the making of the file on, lose nothing.
func TestManyProcesses(t *testing.T) {
	const processes, each = 16, 10
	file := filepath.Join(t.TempDir(), "evidence.db")
	var group sync.WaitGroup
	for p := range processes {
		group.Go(func() {
			// Every process also writes what its neighbour writes.
			if out, err := writer(t.Context(), file, p*each, 2*each, 1).Output(); err != nil {
				t.Errorf("process %d: %v: %s", p, err, out)
			}
		})
	}
	group.Wait()
	s := openAt(t, file, time.Now)
	if size, err := s.Len(t.Context()); err != nil || size != (processes+1)*each {
		t.Errorf("%d records, %v, expected %d", size, err, (processes+1)*each)
	}
	storetest.Sound(t, s)
}
