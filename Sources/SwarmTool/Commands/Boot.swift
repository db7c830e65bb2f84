import ArgumentParser
import Glibc
import Metainfo
import Swarm
import SwarmNode
import Wire

/// `swarm boot`: starts a virtual machine whose disk is in a swarm.
struct Boot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "boot",
    abstract: "Start a virtual machine from an image that is not here yet.",
    usage: "swarm boot [<options>] <link> [<path>] [-- <qemu-arguments> ...]",
    discussion: """
      Fetches only what the machine reads, each block verified, and starts QEMU with the image at <path> in \
      the dataset, or with the file that looks like a disk, and with the kernel beside it (--image-help). \
      What the machine writes to its disk is lost when it ends. What was fetched is kept, and shared while \
      the machine runs.

      The machine's first serial line is the terminal: Ctrl-C goes to the guest, Ctrl-A X ends the \
      machine. While it runs only warnings are shown; at its end, what the boot cost. --json writes objects \
      to standard error, --status to a file, since standard output is the guest's.

      The exit status is QEMU's; 1 if the machine could not be started; 128 and the signal's number if a \
      signal ended it. Arguments after -- are passed to QEMU, after all others.

      @FILE reads the link from a file, - from standard input: a private dataset's link is a secret.

      Examples:
        swarm boot LINK
        swarm boot LINK root.ext4 --memory 2G -- -nic user
      """)

  @Argument(
    help: ArgumentHelp(
      "The dataset, as for join: a magnet link, a key (KEY@3), an infohash or a .torrent.",
      valueName: "link"), completion: .file())
  var subject: BytePath?

  @Argument(
    help: ArgumentHelp(
      "The image's path in the dataset. (default: what looks like a disk)", valueName: "path"))
  var image: BytePath?

  @Argument(
    parsing: .postTerminator,
    help: ArgumentHelp("More arguments for QEMU.", valueName: "qemu-arguments"))
  var arguments: [BytePath] = []

  @Option(
    name: .customLong("dir"),
    help: """
      The folder that keeps what was fetched, for the next time. (default: one of its own in machines/ in \
      the state folder)
      """, completion: .directory)
  var folder: BytePath?

  @Option(help: "The machine's memory, as in 2G. (default: 512M)")
  var memory: ByteSize?

  @Option(
    name: .customLong("accel"),
    help: "What runs the guest: kvm (the processor), tcg (QEMU), or auto: kvm where it works.")
  var acceleration = Acceleration.auto

  @Option(help: "Words added to the kernel's command line.")
  var append: BytePath?

  @Option(help: "The path of QEMU. (default: qemu-system-x86_64)", completion: .file())
  var qemu: BytePath?

  @Option(
    name: .customLong("read-timeout"),
    help: "Seconds after which a read fails if nobody had the bytes. (default: 60)")
  var readTimeout: UInt16?

  @Option(
    name: .customLong("wait"),
    help: "Seconds within which the machine must have started. (default: 120)")
  var patience: UInt16?

  @Option(
    name: .customLong("status"),
    help: "Append JSON objects to this file, one a line (docs/json.md).",
    completion: .file())
  var statusFile: BytePath?

  @Flag(help: "Explain how to make a dataset that boots.")
  var imageHelp = false

  @OptionGroup var options: NodeOptions

  func validate() throws {
    if subject == nil, !imageHelp {
      throw ValidationError("name the dataset: a link, or a .torrent")
    }
    if patience == 0 { throw ValidationError("--wait is at least 1 second") }
    if readTimeout == 0 { throw ValidationError("--read-timeout is at least 1 second") }
    if let memory, memory.bytes < 1 << 20 || memory.bytes > 1 << 50 {
      throw ValidationError("--memory is from 1M to 1024T")
    }
  }

  func run() throws {
    guard let subject, !imageHelp else { return try Console.result(ImageHelp.text) }
    let display = try StatusDisplay(
      isJSON: options.isJSON, objectsTo: Self.objects(options.isJSON, statusFile))
    let program = try Self.program(qemu?.bytes ?? Array("qemu-system-x86_64".utf8))
    let state = try options.stateFolder()
    let whole = try JoinSubject(parsing: subject.bytes).unlocked(in: state).whole
    let request = JoinRequest(
      subject: whole, directory: try folder?.bytes ?? whole.machineFolder(in: state),
      reading: .sparse, stays: true, peers: options.network.peers.map(\.address))
    let (plan, link, _) = try request.plan(in: state, display)
    let machine = try Machine(
      Machine.Wishes(
        image: image?.bytes, program: program, acceleration: acceleration,
        memory: (memory?.bytes ?? 512 << 20) >> 20, append: append?.bytes ?? [],
        arguments: arguments.map(\.bytes), readTimeout: readTimeout.map { .seconds(Int($0)) },
        patience: .seconds(Int(patience ?? 120))))
    let exports = TransferSession.Exports(
      socket: machine.folder.socket, readTimeout: machine.wishes.readTimeout)
    defer { machine.folder.close() }
    let task = TransferSession.Task(
      plan: plan, exports: exports, machine: machine, endsWhenFinished: false
    ) { endpoints in
      display.event(
        "started",
        [
          ("magnet", .text(link.uri)), ("dataset_key", .text(orNull: link.datasetKey?.hex)),
          ("infohash_v2", .text(orNull: link.v2Infohash?.hex)),
          ("infohash_v1", .text(orNull: link.v1Infohash?.hex)),
          ("listening", .list(endpoints.map { .text("\($0)") })),
        ])
    }
    try TransferSession(task, options: options, display: display).run()
  }

  /// Where objects go: a file, or standard error; nil for nowhere.
  private static func objects(_ isJSON: Bool, _ file: BytePath?) throws(Failure) -> CInt? {
    guard let file else {
      if isJSON, isatty(STDERR_FILENO) == 1 {
        throw Failure(
          "with --json, objects go to standard error, which is the machine's terminal: name a file by "
            + "--status")
      }
      return isJSON ? STDERR_FILENO : nil
    }
    let descriptor = open(
      file.bytes.map { CChar(bitPattern: $0) } + [0], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
      0o666)
    guard descriptor >= 0 else {
      throw Failure("cannot write \(printable(file.bytes)): \(String(cString: strerror(errno)))")
    }
    return descriptor
  }

  /// QEMU's path: to be told before anything is fetched that there is none.
  private static func program(_ name: [UInt8]) throws(Failure) -> [UInt8] {
    let slash = UInt8(ascii: "/")
    func isThere(_ path: [UInt8]) -> Bool {
      access(path.map { CChar(bitPattern: $0) } + [0], X_OK) == 0
    }
    let folders =
      name.contains(slash)
      ? [] : (StateFolder.environment("PATH") ?? []).split(separator: UInt8(ascii: ":"))
    let found =
      name.contains(slash) ? name : folders.lazy.map { $0 + [slash] + name }.first(where: isThere)
    if let found, isThere(found) { return found }
    if name.contains(slash), access(name.map { CChar(bitPattern: $0) } + [0], F_OK) == 0 {
      _ = isThere(name)
      throw Failure("\(printable(name)) cannot be run: \(String(cString: strerror(errno)))")
    }
    throw Failure(
      "there is no \(printable(name)) here, which runs the machine: on Debian, apt-get install "
        + "qemu-system-x86; or name another by --qemu")
  }
}

extension JoinSubject {
  /// The same, whatever files a link selects: they are for who downloads.
  fileprivate var whole: JoinSubject {
    guard case .link(var link) = self else { return self }
    link.selection = nil
    return .link(link)
  }

  /// Where a machine's dataset is kept when the user does not say: a folder of its own, so that names
  /// do not meet.
  fileprivate func machineFolder(in state: StateFolder) throws(Failure) -> [UInt8] {
    let name: String?
    switch self {
    case .link(let link):
      name = link.datasetKey?.hex ?? link.v2Infohash?.hex ?? link.v1Infohash?.hex
    case .torrent(let path):
      try LinkAdvice.refuseWhatIsNoFile(path)
      let bytes = try TorrentFile.read(path)
      let info = try Failure.wrap("\(printable(path)): ") {
        try Torrent.inspect(bytes).torrent.info
      }
      name = info.infohashV2?.hex ?? info.infohashV1?.hex
    }
    let all = state.path + Array("/machines".utf8)
    try Failure.wrap { try StateFolder.make(all, mode: 0o700) }
    return all + Array("/\(name ?? "other")".utf8)
  }
}
