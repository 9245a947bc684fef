// What a tool in a sandbox reaches, as its manifest says. Not here: what makes the sandbox
// (SandboxMeans), reading the manifest.
internal import FoundationEssentials

/// What a tool in a sandbox reaches; what is not named here it does not.
struct Sandbox: Sendable, Equatable {
    /// Whether it has the network of the host; otherwise none.
    var hasNetwork = false
    /// What it may read beside the system's own folders and what its command names; everything,
    /// but for the temporary files of others, if nil.
    var readable: [String]?
    /// The folders that it may change beside its working folder.
    var writable: [String] = []

    /// What programs need to run, and nothing that is secret: a file of `/etc` is not here unless
    /// most programs read it.
    static let systemPaths: [String] =
        ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]
        + [
            "alternatives", "ca-certificates", "crypto-policies", "debian_version", "fonts",
            "gai.conf", "group", "host.conf", "hosts", "ld.so.cache", "ld.so.conf",
            "ld.so.conf.d", "locale.alias", "localtime", "magic", "mime.types", "nsswitch.conf",
            "os-release", "passwd", "perl", "pki/tls/certs", "protocols", "python3",
            "resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
        ]
        .map { "/etc/\($0)" }

    /// Where the addresses of resolvers are, when `/etc/resolv.conf` leads there.
    static let resolverPaths = ["/run/systemd/resolve", "/run/resolvconf"]

    /// Devices without contents, which every program may use.
    static let devices = ["null", "zero", "full", "random", "urandom"].map { "/dev/\($0)" }

    /// Folders of the root that a tool never gets from the host: each has its own, or none.
    static let ownFolders: Set<String> = ["dev", "proc", "run", "tmp"]
}

extension ManifestTool {
    /// The files and folders that the command names, and its program; absolute paths.
    func commandPaths(_ environment: [String: String]) -> [String] {
        var paths = command.elements.compactMap(\.literal)
            .compactMap { word -> String? in
                // Options name files as `--file=/folder/name`.
                guard let start = word.firstIndex(of: "/") else { return nil }
                guard start == word.startIndex || word[..<start].hasSuffix("=") else { return nil }
                return String(word[start...])
            }
            .filter { path in
                // A tool has a folder of its own for each of these.
                let isOwn = Sandbox.ownFolders.contains { path == "/\($0)" }
                let isDevice = path.hasPrefix("/dev/") || path.hasPrefix("/proc/")
                return path != "/" && !isOwn && !isDevice
                    && FileManager.default.fileExists(atPath: path)
            }
        if let program = programFile(environment), !paths.contains(program) {
            paths.append(program)
        }
        return paths
    }
}
