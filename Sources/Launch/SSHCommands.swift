// Every command that a launch runs for a host of ssh. Pure: words in, words out. Not here: in which
// order they run (SSHSite).
internal import Tools
internal import Transport

/// The commands for one host.
///
/// The host's shell gets one word, a script for `/bin/sh`, so that its login shell may be any.
struct SSHCommands {
    let host: String
    let options: [String]
    /// The socket of the connection that all commands share.
    let socket: String
    /// The SHA-256 of the program.
    let digest: String
    /// The name of the launch's folder on the host.
    let launch: String

    private var common: [String] {
        [
            "ssh", "-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15",
            "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-S", socket,
        ] + options
    }

    /// The words that run a script on the host over the shared connection; without it they fail
    /// instead of making another one.
    private func shared(_ script: String) -> [String] {
        common + ["-o", "ControlMaster=no", "-o", "ProxyCommand=false", host]
            + ["exec /bin/sh -c " + ShellWords.quoted(script)]
    }

    /// Opens the shared connection, and keeps it until its standard input ends.
    ///
    /// It tells what the host is, makes the launch's folder, and removes it at its end. Folders of
    /// launches whose processes have gone are removed first; so are workers of this launch that an
    /// interrupted connection has left.
    var anchor: [String] {
        let script = """
            umask 077
            b=$HOME/.cache/weftline/bin/\(digest)/weft
            l=$HOME/.cache/weftline/launches
            f=$l/\(launch)
            mkdir -p "$l" || exit 1
            for p in "$f"/.*.pid; do [ -f "$p" ] && kill "$(cat "$p")" 2>/dev/null; done
            for d in "$l"/*; do
            [ -d "$d" ] || continue
            p=$(cat "$d/.anchor.pid" 2>/dev/null)
            [ -n "$p" ] && kill -0 "$p" 2>/dev/null || rm -rf "$d"
            done
            rm -rf "$f" "$l/.\(launch)"
            mkdir "$l/.\(launch)" && echo $$ > "$l/.\(launch)/.anchor.pid" || exit 1
            mv "$l/.\(launch)" "$f" || exit 1
            trap 'rm -rf "$f"; rmdir "$l" 2>/dev/null' EXIT
            trap 'exit 1' HUP INT TERM
            echo "weft-system $(uname -sm)"
            [ -x "$b" ] && echo weft-program there || echo weft-program missing
            echo "weft-home $HOME"
            cat > /dev/null
            """
        return common + ["-o", "ControlMaster=yes", "-o", "ControlPersist=no", host]
            + ["exec /bin/sh -c " + ShellWords.quoted(script)]
    }

    /// Copies the program: to another name first, so that it is complete or not there.
    func copyProgram(_ program: String, bytes: Int) -> [String] {
        let script = """
            umask 077
            d=$HOME/.cache/weftline/bin/\(digest)
            t=$d/.\(launch).$$
            mkdir -p "$d" || exit 1
            trap 'rm -f "$t"' EXIT
            cat > "$t" || exit 1
            [ "$(($(wc -c < "$t")))" = \(bytes) ] || { echo 'the copy is incomplete' >&2; exit 1; }
            chmod 700 "$t" && mv "$t" "$d/weft"
            """
        return [
            "/bin/sh", "-c",
            "exec " + ShellWords.line(shared(script)) + " < "
                + ShellWords.quoted(program),
        ]
    }

    /// Copies a manifest and the files that it names.
    func copyFiles(_ manifest: Manifest, _ files: [String], group: Int) -> [String] {
        let name = manifest.path.split(separator: "/").last.map(String.init) ?? ""
        let script = """
            umask 077
            d=$HOME/.cache/weftline/launches/\(launch)/\(group)
            mkdir -p "$d" && tar -xf - -C "$d"
            """
        let names =
            files.contains(".") ? ["."] : Array(Set(["./" + name] + files.map { "./" + $0 }))
        let pack = ["tar", "-C", manifest.folder, "-chf", "-"] + names.sorted()
        return ["/bin/sh", "-c", ShellWords.line(pack) + " | " + ShellWords.line(shared(script))]
    }

    /// Lets the host reach the coordinator at a port that it chooses, which it prints.
    func forward(to coordinator: Endpoint) -> [String] {
        common + ["-O", "forward", "-R", "127.0.0.1:0:\(coordinator)", host]
    }

    /// Starts a worker, which reads the join line from its standard input.
    func worker(_ plan: MemberPlan, group: Int) -> [String] {
        let name = plan.group.manifest?.path.split(separator: "/").last.map(String.init)
        let variables = plan.group.environment.map { "\($0.key)=\($0.value)" }
        let words = plan.arguments(manifest: name)
        let folder = name == nil ? "$f" : "$f/\(group)"
        let environment = variables.isEmpty ? "" : "env " + ShellWords.line(variables) + " "
        let script = """
            f=$HOME/.cache/weftline/launches/\(launch)
            cd "\(folder)" && echo $$ > "$f/.\(plan.name).pid" || exit 1
            exec \(environment)"$HOME/.cache/weftline/bin/\(digest)/weft" \(ShellWords.line(words))
            """
        return shared(script)
    }
}
