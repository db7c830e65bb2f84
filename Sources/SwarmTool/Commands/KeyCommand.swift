import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// `swarm key`: the secrets of the datasets that are published here.
struct KeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key",
    abstract: "List the keys of your datasets, or move them to another machine.",
    discussion: """
      Whoever has the secret of a key can publish versions of its dataset. It lies in the state folder, \
      and is never printed on a terminal.
      """,
    subcommands: [List.self, Export.self, Import.self])

  /// `swarm key list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "List the keys whose secrets are here, and what is published under them.")

    @OptionGroup var options: StateOptions

    func run() throws {
      let state = try options.stateFolder()
      let keys = try Failure.wrap { try state.keys.keys() }
      let sources = try Failure.wrap { try state.publishedSources() }
      let isPrivate = Set(try Failure.wrap { try state.privateDatasets() })
      var rows: [(String, String)] = []
      var list: [JSON] = []
      for key in keys {
        let dataset = state.dataset(key)
        let head = try Failure.wrap { try dataset.head() }
        let paths = sources.filter { $0.key == key }.map { printable($0.path) }
        list.append(
          .object([
            ("dataset_key", .text(key.hex)),
            ("version", head.map { .signed($0.version) } ?? .null),
            ("infohash_v2", .text(orNull: head?.infohashV2?.hex)),
            ("private_dataset", .bool(isPrivate.contains(key))),
            ("paths", .list(paths.map { .text($0) })),
          ]))
        let version = head.map { "version \($0.version)" } ?? "nothing published yet"
        let kind = isPrivate.contains(key) ? ["private"] : []
        rows.append((key.hex, ([version] + kind + paths).joined(separator: "  ")))
      }
      if options.isJSON {
        try Console.result(JSON.object([("keys", .list(list))]).rendered)
      } else if rows.isEmpty {
        Console.note("no keys yet: swarm seed and swarm publish make one for what they share")
      } else {
        try Console.result(table(rows))
      }
    }
  }

  /// `swarm key export`.
  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export",
      abstract: "Write a key's secret to a new file that only you can read.",
      discussion: """
        Whoever reads the file can publish in your name, and read the dataset if it is private: take it to \
        the other machine, import it there, and remove it. Publish from one machine at a time: otherwise two \
        versions can get the same number, and others follow one or the other.
        """)

    @Argument(
      help: "The key, a link that has it (@FILE for one in a file), or a published path.",
      completion: .file())
    var subject: BytePath

    @Argument(
      help: "A file that does not exist yet, or - for standard output, if it is no terminal.",
      completion: .file())
    var file: BytePath

    @OptionGroup var options: StateOptions

    func validate() throws {
      if options.isJSON, file.bytes == Array("-".utf8) {
        throw ValidationError("--json and - exclude each other")
      }
    }

    /// Looks the key up and nothing else: to export it changes nothing here.
    private func key(in state: StateFolder) throws(Failure) -> DatasetKey {
      switch try LinkAdvice.parse(try LinkInput.resolve(subject.bytes)) {
      case .link(let link):
        if let key = link.datasetKey { return key }
        throw Failure("the link has no dataset's key (xs=urn:btpk:)")
      case .path(let path):
        if let real = try? RealPath.resolve(path), let source = state.publishedSource(at: real) {
          return source.key
        }
        throw Failure(
          "\(printable(path)) is not published by key here; name the key, or a link that has it")
      }
    }

    func run() throws {
      let state = try options.stateFolder()
      let (key, keys) = (try key(in: state), state.keys)
      let found = try Failure.wrap { try keys.secret(of: key) }
      guard let secret = found else {
        throw Failure("the secret of \(key) is not here; swarm key list lists those that are")
      }
      let contents = KeyFolder.Contents(
        secret: secret, readKey: try state.readKey(of: secret.key))
      if file.bytes == Array("-".utf8) {
        if isatty(STDOUT_FILENO) == 1 {
          throw Failure("a secret is not printed on a terminal: name a file")
        }
        try Console.result(String(decoding: KeyFolder.text(of: contents).dropLast(), as: UTF8.self))
        return
      }
      do throws(SystemError) {
        try KeyFolder.write(contents, to: file.bytes)
      } catch {
        if error.isAlreadyThere {
          throw Failure("\(printable(file.bytes)) is already there; nothing is overwritten")
        }
        throw Failure(error.description)
      }
      if options.isJSON {
        try Console.result(
          JSON.object([
            ("dataset_key", .text(secret.key.hex)), ("file", .text(printable(file.bytes))),
          ]).rendered)
      } else {
        Console.note("the secret of \(secret.key) is in \(printable(file.bytes))")
      }
    }
  }

  /// `swarm key import`.
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import",
      abstract: "Take a key's secret from a file that swarm key export wrote.",
      discussion: """
        Before you first publish here, this machine must know the versions that exist: join the dataset \
        first. Then swarm publish PATH --key KEY publishes the next one.
        """)

    @Argument(help: "The file, or - for standard input.", completion: .file())
    var file: BytePath

    @OptionGroup var options: StateOptions

    func run() throws {
      let state = try options.stateFolder()
      let contents = try Failure.wrap { () throws(KeyError) -> KeyFolder.Contents in
        guard file.bytes == Array("-".utf8) else { return try KeyFolder.contents(of: file.bytes) }
        return try KeyFolder.parse(Console.input(limit: 1_024), from: Array("standard input".utf8))
      }
      let secret = contents.secret
      // First: what is published under the key stays private.
      if let readKey = contents.readKey {
        try Failure.wrap { try state.keep(readKey, of: secret.key) }
      }
      try Failure.wrap { [keys = state.keys] in try keys.keep(secret) }
      if options.isJSON {
        try Console.result(JSON.object([("dataset_key", .text(secret.key.hex))]).rendered)
      } else {
        try Console.result(secret.key.hex)
      }
    }
  }
}
