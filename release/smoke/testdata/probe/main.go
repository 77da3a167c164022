// Probe behaves as its first argument says, well or badly.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	word, arg := "--version", ""
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	if len(os.Args) > 2 {
		arg = os.Args[2]
	}
	behaviors[word](arg)
}

var behaviors = map[string]func(string){
	"--version": func(string) { fmt.Println("probe v1.2.3") },
	"exit3":     func(string) { fmt.Fprintln(os.Stderr, "no"); os.Exit(3) },
	"hang":      func(string) { time.Sleep(time.Hour) },
	"flood": func(string) {
		for {
			os.Stdout.WriteString(strings.Repeat("x", 1000))
		}
	},
	"fill":    func(n string) { var size int; fmt.Sscan(n, &size); os.Stdout.WriteString(strings.Repeat("x", size)) },
	"dial":    dial,
	"listen":  listen,
	"see":     see,
	"stay":    func(name string) { start(name, &syscall.SysProcAttr{}) },
	"flee":    func(name string) { start(name, flight) },
	"linger":  linger,
	"touch":   func(name string) { time.Sleep(2 * time.Second); must(os.WriteFile(name, nil, 0o600)) },
	"control": func(string) { fmt.Print("\x1b[2Jred\n\u202eback\n\xff") },
	"panic":   func(string) { panic("at the end") },
	"litter":  litter,
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// dial writes to each of the addresses, or says why not.
func dial(addresses string) {
	reached := 0
	for _, a := range strings.Split(addresses, ",") {
		network, address, _ := strings.Cut(a, "=")
		c, err := net.DialTimeout(network, address, 2*time.Second)
		if err != nil {
			fmt.Println(err)
			continue
		}
		c.Write([]byte("reached"))
		c.Close()
		reached++
	}
	fmt.Println("reached", reached)
}

func listen(string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	l.Close()
}

// see tells what the program was given.
func see(string) {
	fmt.Println("argv", os.Args)
	fmt.Println("environ", len(os.Environ()), "home", os.Getenv("HOME") != "")
	dir, err := os.Getwd()
	must(err)
	fmt.Println("in home", dir == os.Getenv("HOME"))
	for name, path := range map[string]string{"home": dir, "above": filepath.Dir(dir)} {
		info, err := os.Stat(path)
		must(err)
		entries, err := os.ReadDir(path)
		must(err)
		fmt.Println(name, info.Mode().Perm(), len(entries))
	}
	n, err := os.Stdin.Read(make([]byte, 1))
	fmt.Println("stdin", n, err)
	if stat, err := os.ReadFile("/proc/self/stat"); err == nil {
		fields := strings.Fields(string(stat))
		fmt.Println("session of its own", fields[0] == fields[5])
	}
	for fd := range 20 {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil && fd > 2 {
			link, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
			if !strings.HasPrefix(link, "anon_inode:") && !strings.HasPrefix(link, "/proc/") && !strings.HasPrefix(link, "/sys/") {
				fmt.Println("inherited", link)
			}
		}
	}
}

// start starts a child that writes a file later, and ends at once.
func start(name string, attr *syscall.SysProcAttr) {
	c := exec.Command("/proc/self/exe", "touch", name)
	c.SysProcAttr = attr
	must(c.Start())
	fmt.Println("started")
}

// linger starts such a child that keeps the output open, and hangs.
func linger(name string) {
	c := exec.Command("/proc/self/exe", "touch", name)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	must(c.Start())
	time.Sleep(time.Hour)
}

// litter leaves directories that can't be removed as they are.
func litter(string) {
	must(os.MkdirAll("a/b/c", 0o700))
	must(os.WriteFile("a/b/c/f", nil, 0o400))
	must(os.Chmod("a/b/c", 0))
	must(os.Chmod("a/b", 0o500))
}
