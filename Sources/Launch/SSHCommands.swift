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
    /// The socket of the connection that the commands share.
    let socket: String
    /// The SHA-256 of the program.
    let digest: String
    /// The size of the program.
    let bytes: Int
    /// The name of the site's folder on the host, unique among all sites of all launches.
    let folder: String

    /// How many workers share the connection: with the one that holds the folder they are as many
    /// sessions as an sshd allows by default.
    static let mostSharing = 9

    private var common: [String] {
        [
            "ssh", "-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15",
            "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
        ]
    }

    private var sharing: [String] { common + ["-S", socket] + options }

    private func remote(_ script: String) -> [String] {
        [host, "exec /bin/sh -c " + ShellWords.quoted(script)]
    }

    /// The words that run a script on the host over the shared connection; without it they fail
    /// instead of making another one.
    private func shared(_ script: String) -> [String] {
        sharing + ["-o", "ControlMaster=no", "-o", "ProxyCommand=false"] + remote(script)
    }

    /// A function of the shell that tells when a process started, so that a number which another
    /// process has by now is not taken for it.
    private static let startTime =
        "s() { sed 's/.*) //' \"/proc/$1/stat\" 2>/dev/null | cut -d ' ' -f 20; }"

    /// Opens the shared connection, and keeps it until its standard input ends.
    ///
    /// It tells what the host is, makes the site's folder, and removes it at its end. What an
    /// interrupted connection of this site has left is ended first. Folders of other sites are
    /// removed if they are of this host, which may share its home folder with others, also with one
    /// of its name, and the process that holds them has gone; or if no process has held them for a day.
    var anchor: [String] {
        let script = """
            umask 077
            \(Self.startTime)
            is() { [ -n "$2" ] && [ "$(s "$1")" = "$2" ]; }
            b=$HOME/.cache/weftline/bin/\(digest)/weft
            l=$HOME/.cache/weftline/launches
            f=$l/\(folder)
            n=$(uname -n)+$(cat /etc/machine-id 2>/dev/null)
            o=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
            m="$$ $(s $$) $o $n"
            mkdir -p "$l" || exit 1
            for d in "$l"/* "$l"/.[!.]*; do
            [ -d "$d" ] || continue
            if read -r p t k h 2>/dev/null < "$d/.anchor"; then
            [ "$h" = "$n" ] || continue
            if [ "$k" = "$o" ]; then
            if [ "$d" = "$f" ]; then
            is "$p" "$t" && kill -KILL "$p" 2>/dev/null
            for w in "$d"/.*.pid; do
            read -r p t 2>/dev/null < "$w" && is "$p" "$t" && kill "$p" 2>/dev/null
            done
            else is "$p" "$t" && continue
            fi
            fi
            else [ -n "$(find "$d" -prune -mtime +0)" ] || continue
            fi
            rm -rf "$d"
            done
            rm -rf "$f" "$l/.\(folder)"
            mkdir -p "$l/.\(folder)" && echo "$m" > "$l/.\(folder)/.anchor" || exit 1
            mv "$l/.\(folder)" "$f" || exit 1
            trap '[ "$(cat "$f/.anchor" 2>/dev/null)" != "$m" ] || rm -rf "$f"
            rmdir "$l" 2>/dev/null' EXIT
            trap 'exit 1' HUP INT TERM
            echo "weft-system $(uname -sm)"
            [ -x "$b" ] && [ "$(($(wc -c < "$b")))" = \(bytes) ] && echo weft-program there \
            || echo weft-program missing
            echo "weft-home $HOME"
            cat > /dev/null
            """
        return sharing + ["-o", "ControlMaster=yes", "-o", "ControlPersist=no"] + remote(script)
    }

    /// Copies the program: to another name first, so that it is complete or not there.
    func copyProgram(_ program: String) -> [String] {
        let script = """
            umask 077
            d=$HOME/.cache/weftline/bin/\(digest)
            t=$d/.\(folder).$$
            mkdir -p "$d" || exit 1
            trap 'rm -f "$t"' EXIT
            cat > "$t" || exit 1
            [ "$(($(wc -c < "$t")))" = \(bytes) ] || { echo 'the copy is incomplete' >&2; exit 1; }
            h=$(sha256sum < "$t") || exit 1
            [ "${h%% *}" = \(digest) ] || { echo 'the copy differs from the program as it was \
            when the launch began. \(Self.startAgain)' >&2; exit 1; }
            chmod 700 "$t" && { sync "$t" 2>/dev/null || sync; } && mv "$t" "$d/weft"
            """
        return [
            "/bin/sh", "-c",
            "exec " + ShellWords.line(shared(script)) + " < "
                + ShellWords.quoted(program),
        ]
    }

    /// What to do when the program's file has changed.
    static let startAgain = "Start the launch again."

    /// Copies a manifest and the files that it names, but nothing of these folders in its own.
    func copyFiles(
        _ manifest: Manifest,
        _ files: [String],
        group: Int,
        without folders: [String]
    ) -> [String] {
        let script = """
            umask 077
            d=$HOME/.cache/weftline/launches/\(folder)/\(group)
            mkdir -p "$d" && tar -xf - -C "$d"
            """
        let package = ToolPackage(manifest, files, without: folders)
        return ["/bin/sh", "-c", package.script(into: shared(script))]
    }

    /// Lets the host reach the coordinator at a port that it chooses, which it prints.
    func forward(to coordinator: Endpoint) -> [String] {
        sharing + ["-O", "forward", "-R", "127.0.0.1:0:\(coordinator)", host]
    }

    /// Starts a worker, which reads the join line from its standard input, over the shared
    /// connection or one of its own.
    func worker(_ plan: MemberPlan, group: Int, isSharing: Bool = true) -> [String] {
        let name = plan.group.manifest?.path.split(separator: "/").last.map(String.init)
        let variables = plan.group.environment.map { "\($0.key)=\($0.value)" }
        let words = plan.arguments(manifest: name)
        let place = name == nil ? "$f" : "$f/\(group)"
        let environment = variables.isEmpty ? "" : "env " + ShellWords.line(variables) + " "
        let script = """
            \(Self.startTime)
            f=$HOME/.cache/weftline/launches/\(folder)
            cd "\(place)" && echo "$$ $(s $$)" > "$f/.\(plan.name).pid" || exit 1
            exec \(environment)"$HOME/.cache/weftline/bin/\(digest)/weft" \(ShellWords.line(words))
            """
        if isSharing { return shared(script) }
        return common + ["-S", "none", "-o", "ControlMaster=no"] + options + remote(script)
    }
}
