// A manifest and the files that it names, packed for another place. Pure: words in, words out.
internal import Tools

/// What is copied of a manifest's folder.
struct ToolPackage {
    /// The command that writes the package to its standard output.
    let pack: [String]

    /// The package of a manifest and files beside it; `.` stands for all of its folder.
    ///
    /// Keys and join lines are left out, which a folder may have as well, and so are these folders
    /// in it. A file of such a name that a command names itself is packed.
    init(_ manifest: Manifest, _ files: [String], without folders: [String]) {
        let name = manifest.path.split(separator: "/").last.map(String.init) ?? ""
        let names = files.contains(".") ? ["."] : Set([name] + files).sorted().map { "./" + $0 }
        let secrets = [".key", ".join"].filter { end in !files.contains { $0.hasSuffix(end) } }
            .map { "--exclude=*" + $0 }
        let others = folders.isEmpty ? [] : ["--anchored", "--no-wildcards"]
        pack =
            ["tar", "-C", manifest.folder] + secrets + others
            + folders.map { "--exclude=./" + $0 } + ["-chf", "-"] + names
    }

    /// A script of a shell that gives the package to a command, and fails if either fails.
    ///
    /// The status of a pipe is that of its last command. So the status of the first goes another
    /// way, behind its messages, of which the first one tells most. A tar's status 1 is no failure:
    /// a file has changed meanwhile, or a link leads nowhere. With 141 the command has ended early.
    func script(into command: [String]) -> String {
        """
        s=$({ { \(ShellWords.line(pack)) 2>&3; echo "$?" >&3; } | \(ShellWords.line(command)) >&2; \
        } 3>&1)
        r=$?
        case $(printf '%s\\n' "$s" | tail -n 1) in 0|1|141) exit $r;; esac
        printf '%s\\n' "$s" | head -n 1 >&2
        exit 1
        """
    }
}
