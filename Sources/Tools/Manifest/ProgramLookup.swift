// Finds out whether a tool's program exists, without starting it.
internal import FoundationEssentials
internal import Glibc
internal import OrderedCollections

extension ManifestTool {
    /// Why the program cannot be started now, as a sentence without its period, or nil.
    ///
    /// For a script, its interpreter is checked too.
    func obstacle(_ environment: [String: String]) -> String? {
        guard let program = command.elements.first?.literal else { return nil }
        let path = variables["PATH"] ?? environment["PATH"] ?? ProcessEnvironment.defaultPath
        guard let file = programFile(environment) else {
            return program.contains("/") && FileManager.default.fileExists(atPath: program)
                ? "\(program) may not be executed" : "the program \(program) does not exist"
        }
        guard let interpreter = Self.interpreter(of: file),
            Self.executable(interpreter, in: path) == nil
        else { return nil }
        return "\(program) is a script for \(interpreter), which does not exist"
    }

    /// The file of the program, or nil if it is not there.
    func programFile(_ environment: [String: String]) -> String? {
        guard let program = command.elements.first?.literal else { return nil }
        let path = variables["PATH"] ?? environment["PATH"] ?? ProcessEnvironment.defaultPath
        return Self.executable(program, in: path)
    }

    /// The file that would be executed; a program without a slash is searched in `PATH`.
    static func executable(_ program: String, in path: String) -> String? {
        if program.contains("/") { return isExecutable(program) ? program : nil }
        return path.split(separator: ":").lazy.map { "\($0)/\(program)" }.first(where: isExecutable)
    }

    private static func isExecutable(_ path: String) -> Bool {
        var isFolder = false
        let files = FileManager.default
        return files.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder
            && files.isExecutableFile(atPath: path)
    }

    /// The interpreter in the first line of a script, as in `#!/bin/sh -e`, or the program that
    /// `env` would start, as in `#!/usr/bin/env -S python3 -u`.
    private static func interpreter(of file: String) -> String? {
        guard let handle = fopen(file, "r") else { return nil }
        defer { fclose(handle) }
        var start = [UInt8](repeating: 0, count: 256)
        let count = fread(&start, 1, start.count, handle)
        guard count > 2, start[0] == UInt8(ascii: "#"), start[1] == UInt8(ascii: "!") else {
            return nil
        }
        let line = start[2..<count].prefix { $0 != UInt8(ascii: "\n") }
        let words = String(decoding: line, as: UTF8.self).split { $0 == " " || $0 == "\t" }
            .map(String.init)
        guard let interpreter = words.first else { return nil }
        guard interpreter.split(separator: "/").last == "env", isExecutable(interpreter) else {
            return interpreter
        }
        // Options of env and variables come before the program; unknown forms are ignored.
        let program = words.dropFirst().drop { $0 == "-S" || $0 == "-i" || $0.contains("=") }.first
        return program.flatMap { $0.hasPrefix("-") ? nil : $0 } ?? interpreter
    }
}
