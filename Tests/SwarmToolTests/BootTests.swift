import Metainfo
import SwarmNode
import Testing

@testable import Swarm
@testable import SwarmTool

@Suite struct MachineFilesTests {
  /// A dataset with files of these paths and sizes.
  private func info(_ files: [(String, UInt64)]) throws -> InfoDictionary {
    try TorrentDescription(
      kind: .v2, name: try PathElement(Array("image".utf8)), isSingleFile: false,
      pieceLength: 16_384,
      files: try files.map { path, length in
        let elements = try path.split(separator: "/").map { try PathElement(Array($0.utf8)) }
        return FileEntry(
          path: try ContentPath(elements), length: length,
          piecesRoot: length > 0 ? SHA256Digest(hashing: Array(path.utf8)) : nil)
      }
    ).infoDictionary()
  }

  private func choose(_ files: [(String, UInt64)], _ path: String? = nil) throws -> MachineFiles {
    try MachineFiles(in: info(files), image: path.map { Array($0.utf8) })
  }

  /// Files, and which is the disk.
  private static let choices: [([(String, UInt64)], image: String, format: String)] = [
    // The largest of those whose names are a disk's.
    ([("a.img", 5), ("b.raw", 9), ("movie.mkv", 100)], "b.raw", "raw"),
    ([("readme", 9), ("x/ROOT.EXT4", 5)], "x/ROOT.EXT4", "raw"),
    // What a kernel starts with is none, however large.
    (
      [("initramfs.img", 90), ("initrd.img", 90), ("vmlinuz.img", 90), ("z.qcow2", 1)], "z.qcow2",
      "qcow2"
    ),
    ([("cd.iso", 5)], "cd.iso", "iso"),
    // Only one: that.
    ([("disk", 5), ("empty.img", 0)], "disk", "raw"),
  ]

  @Test(arguments: choices.indices) func theDiskIsChosenByName(index: Int) throws {
    let (files, image, format) = Self.choices[index]
    let chosen = try choose(files)
    #expect("\(chosen.image.path)" == image && chosen.format.rawValue == format)
    #expect(chosen.kernel == nil && chosen.initrd == nil && chosen.commandLine == nil)
  }

  @Test func theNamedFileIsTaken() throws {
    let files: [(String, UInt64)] = [("a.img", 50), ("b", 5)]
    #expect(try choose(files, "b").image.index == 1)
    #expect(throws: Failure.self) { try choose(files, "c") }
    #expect(throws: Failure.self) { try choose([("a", 1), ("b", 2)]) }
    #expect(throws: Failure.self) { try choose([("empty.img", 0)]) }
  }

  @Test func theKernelLiesBesideTheDiskOrAbove() throws {
    let both: [(String, UInt64)] = [
      ("a/cmdline", 1), ("a/disk.img", 9), ("a/initrd", 2), ("a/vmlinuz", 3), ("b/disk.img", 8),
      ("cmdline", 4), ("vmlinuz", 5),
    ]
    let beside = try choose(both)
    #expect(beside.kernel?.index == 3 && beside.initrd?.index == 2)
    #expect(beside.commandLine?.index == 0)
    // One set, never parts of two.
    let above = try choose(both, "b/disk.img")
    #expect(above.kernel?.index == 6 && above.initrd == nil && above.commandLine?.index == 5)
    let none = try choose([("a/vmlinuz", 1), ("disk.img", 9)])
    #expect(none.kernel == nil)
  }
}

@Suite struct MachineCommandTests {
  private let command = MachineCommand(
    program: Array("/bin/qemu".utf8), hasKVM: false, memory: 512,
    socket: Array("/run/a,b/nbd".utf8),
    export: "disk", format: .raw, kernel: Array("/k".utf8), initrd: nil,
    commandLine: Array("console=ttyS0".utf8), more: [Array("-smp".utf8), Array("2".utf8)])

  private func words(_ command: MachineCommand) -> [String] {
    command.words.map { String(decoding: $0, as: UTF8.self) }
  }

  /// The value behind an option.
  private func value(_ option: String, in words: [String]) -> String? {
    words.firstIndex(of: option).map { words[$0 + 1] }
  }

  @Test func nothingIsWrittenBackAndTheNodeMayComeBack() {
    let words = words(command)
    let drive = value("-drive", in: words) ?? ""
    #expect(drive.hasPrefix("if=none,id=disk,snapshot=on,file=json:{\"driver\": \"raw\",,"))
    #expect(drive.contains("\"path\": \"/run/a,,b/nbd\""))
    #expect(drive.contains("\"export\": \"disk\",, \"reconnect-delay\": 60"))
    #expect(words.suffix(2) == ["-smp", "2"])
    #expect(value("-accel", in: words) == "tcg" && value("-m", in: words) == "512M")
    #expect(value("-append", in: words) == "console=ttyS0" && !words.contains("-initrd"))
  }

  @Test func aDiscIsReadAndADiskStartsItself() {
    var disc = command
    (disc.format, disc.kernel, disc.hasKVM) = (.iso, nil, true)
    let words = words(disc)
    #expect(value("-drive", in: words)?.hasPrefix("if=none,id=disk,readonly=on,") == true)
    #expect(value("-device", in: words) == "ide-cd,drive=disk,bootindex=0")
    #expect(
      words.contains("-nographic") && !words.contains("-kernel") && !words.contains("-append"))
    #expect(value("-accel", in: words) == "kvm")
  }

  @Test func aQCOW2ImageLeadsNowhereElse() {
    var image = command
    image.format = .qcow2
    let drive = value("-drive", in: words(image)) ?? ""
    #expect(drive.contains("{\"driver\": \"qcow2\",, \"backing\": null,, "))
  }

  /// A header of that version, by the parts that are looked at.
  private func header(version: UInt8, backing: UInt8 = 0, features: UInt8 = 0) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: QCOW2Header.length)
    header.replaceSubrange(0..<8, with: [0x51, 0x46, 0x49, 0xFB, 0, 0, 0, version])
    (header[15], header[79]) = (backing, features)
    return header
  }

  @Test func whatNeedsOtherFilesIsRefused() {
    #expect(QCOW2Header.fault(in: header(version: 3)) == nil)
    // Dirty, corrupt: not our affair.
    #expect(QCOW2Header.fault(in: header(version: 3, features: 3)) == nil)
    // Version 2 has no features; other bytes are there.
    #expect(QCOW2Header.fault(in: header(version: 2, features: 4)) == nil)
    #expect(QCOW2Header.fault(in: header(version: 3, features: 4)) != nil)
    #expect(QCOW2Header.fault(in: header(version: 2, backing: 104)) != nil)
    #expect(QCOW2Header.fault(in: header(version: 3, backing: 104)) != nil)
    #expect(QCOW2Header.fault(in: [UInt8](repeating: 0, count: 80)) != nil)
    for length in 0..<QCOW2Header.length {
      #expect(QCOW2Header.fault(in: Array(header(version: 3).prefix(length))) != nil)
    }
  }
}

@Suite struct BootReportTests {
  @Test func theEndSaysWhatItCost() {
    var report = BootReport(image: "root.ext4", size: 400 << 20, here: 18 << 20)
    report.downloaded = 33 << 20
    #expect(report.lines.first == "fetched 33 MiB")
    (report.reads.reads, report.reads.bytes) = (272, 12 << 20)
    (report.reads.firstRead, report.startSeconds) = (.milliseconds(481), 0.36)
    report.reads.longestWait = .milliseconds(80)
    #expect(
      report.lines == [
        "started after 0.36 s, the first read answered after 0.48 s; fetched 33 MiB",
        "4.5 % of root.ext4 (400 MiB) are here; 272 reads of 12 MiB",
        "no read waited for more than a second, the longest for 0.08 s",
      ])
    (report.reads.stalls, report.reads.failures) = (2, 1)
    report.reads.longestWait = .seconds(61)
    #expect(
      report.lines.last == "2 reads waited for more than a second, the longest for 1:01; 1 failed")
  }

  @Test func noImageIsNoShare() { #expect(BootReport().share == 0) }
}

@Suite struct StallTests {
  private func stalled(_ seconds: Int64, _ reason: StalledRead.Reason) -> StalledRead {
    StalledRead(
      file: 0, bytes: 4096..<8192, age: .seconds(seconds), timeLeft: .seconds(60 - seconds),
      blocks: 1, reason: reason)
  }

  @Test func readsThatWaitAreShownBeforeAllElse() {
    var figures = TransferFigures()
    figures.waiting = .connections
    let before = figures.waitingState
    figures.stalledReads = [stalled(4, .peers)]
    #expect(figures.waitingText == "a read has waited for 4 s: no peer is connected")
    let state = figures.waitingState
    #expect(state != before)
    // Time alone is not worth a line.
    figures.stalledReads = [stalled(5, .peers), stalled(2, .choked)]
    #expect(figures.waitingText == "2 reads wait, the first for 5 s: no peer is connected")
    #expect(figures.waitingState == state)
    figures.stalledReads = [stalled(6, .choked)]
    #expect(figures.waitingState != state)
    figures.stalledReads = []
    #expect(figures.waitingState == before)
  }

  @Test func programsAreToldOfThem() {
    var figures = TransferFigures()
    #expect(JSON.object(figures.json).line.contains("\"reads\": null"))
    figures.reads = BlockExportFigures()
    figures.stalledReads = [stalled(4, .answer(peers: 2))]
    #expect(
      JSON.object(figures.json).line.contains(
        "\"stalled\": [{\"offset\": 4096, \"length\": 4096, \"waited\": 4000, \"left\": 56000, "
          + "\"reason\": \"the 2 peers that were asked have not answered\"}]"))
  }
}
