package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"milepost/api"
	"milepost/clients/highlevel"
)

// process is one that is measured from outside.
type process struct {
	cmd  *exec.Cmd
	addr string // host:port it serves
}

// end asks the process to end, and waits.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// memory reads a size of the process in MiB; 0 where there is no /proc.
func (p *process) memory(field string) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return kb >> 10
		}
	}
	return 0
}

func (p *process) cpu() time.Duration { return cpuOf(p.cmd.Process.Pid) }

// cpuOf reads the processor time that a process has used; 0 where there is no /proc.
func cpuOf(pid int) time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// startVerifyOnly runs this program as the limit to compare with.
func startVerifyOnly(publicKey string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self, "verify-only")}
	p.cmd.Stderr = os.Stderr
	p.cmd.Stdin = strings.NewReader(publicKey)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.addr, err = bufio.NewReader(out).ReadString('\n')
	p.addr = strings.TrimSpace(p.addr)
	return p, err
}

// verifyOnly serves Milepost's own HTTP surface with a webhook handler that
// reads, verifies and answers. It reads the public key, writes its address,
// and ends by a signal.
func verifyOnly(in io.Reader, out io.Writer) error {
	pem, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	keys, err := highlevel.ParseKeys(string(pem))
	if err != nil {
		return err
	}
	ln, err := listen()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, ln.Addr())
	server := &http.Server{ // as in package app
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10,
		Handler: api.Public(api.Routes{Logger: zerolog.Nop(), HighLevelWebhooks: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			if err != nil || keys.Verify(req.Header, body) != nil {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})}),
	}
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
