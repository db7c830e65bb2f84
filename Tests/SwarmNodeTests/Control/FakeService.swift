import Metainfo
import Swarm
import Wire

@testable import SwarmNode

/// A node that has what a test gives it, and remembers what it was asked.
final class FakeService: ControlService {
  /// A read that somebody waits for.
  struct Pending {
    let range: Range<UInt64>
    let deliver: (UnsafeRawBufferPointer, UInt64) -> Void
    let completion: (ReadFailure?) -> Void
    let number: Int
  }

  var nodeView = NodeView(version: "1.2.3", uptimeSeconds: 7, listening: ["127.0.0.1:6881"])
  var datasets: [DatasetView] = []
  var exports: [ExportView] = []
  var contents: [[UInt8]] = []
  var asked: [String] = []
  /// Answers that are given later.
  var later: [() -> Void] = []
  var pending: [Pending] = []
  var cancelled: [Int] = []
  private var reads = 0
  var addRequest: AddRequest?
  var failure: ControlFailure?
  var onPeer: () -> Void = {}

  func add(_ request: AddRequest, completion: @escaping (Result<String, ControlFailure>) -> Void) {
    addRequest = request
    let id = datasets.first?.id ?? ""
    later.append { [failure] in completion(failure.map { .failure($0) } ?? .success(id)) }
  }

  func remove(_ dataset: String, completion: @escaping (ControlFailure?) -> Void) {
    asked.append("remove \(dataset)")
    later.append { [unowned self] in
      datasets.removeAll { $0.id == dataset }
      completion(nil)
    }
  }

  func link(of dataset: String) throws(ControlFailure) -> String {
    "\(datasets[0].magnet)&x.rk=\(String(repeating: "7e", count: 32))"
  }

  func versions(of dataset: String) throws(ControlFailure) -> [VersionView] {
    [
      VersionView(number: 2, infohashV2: nil, info: datasets[0].info, isOpen: true),
      VersionView(number: 1, infohashV2: nil, info: nil, differingBytes: 5, isOpen: false),
    ]
  }

  func info(of dataset: String, version: UInt64?) throws(ControlFailure) -> InfoDictionary {
    if let version, version > 2 { throw .notFound("no version \(version)") }
    guard let info = datasets.first(where: { $0.id == dataset })?.info else {
      throw .unavailable("not known yet")
    }
    return info
  }

  func open(
    _ file: Int, of dataset: String, version: UInt64?,
    completion: @escaping (Result<ReadableFile, ControlFailure>) -> Void
  ) {
    if let failure { return completion(.failure(failure)) }
    completion(
      .success(
        ReadableFile(length: UInt64(contents[file].count)) {
          [unowned self] range, deliver, completion in
          reads += 1
          let number = reads
          pending.append(
            Pending(range: range, deliver: deliver, completion: completion, number: number))
          return { [weak self] in
            self?.cancelled.append(number)
            self?.pending.removeAll { $0.number == number }
          }
        }))
  }

  /// Answers all that waits, in the order given; the bytes in two parts, the second one first.
  func deliver(file: Int) {
    for act in later { act() }
    later = []
    for read in pending { finish(read, file: file) }
  }

  func finish(_ read: Pending, file: Int) {
    pending.removeAll { $0.number == read.number }
    let range = read.range
    let middle = range.lowerBound + UInt64(range.count / 2)
    for part in [middle..<range.upperBound, range.lowerBound..<middle] {
      contents[file][Int(part.lowerBound)..<Int(part.upperBound)].withUnsafeBytes {
        read.deliver($0, part.lowerBound)
      }
    }
    read.completion(nil)
  }

  func fail(_ failure: ReadFailure) {
    let all = pending
    pending = []
    for read in all { read.completion(failure) }
  }

  func prefetch(
    _ ranges: [Range<UInt64>], of file: Int, in dataset: String, version: UInt64?
  ) throws(ControlFailure) -> Int {
    asked.append("prefetch \(ranges) of \(file)")
    return ranges.count
  }

  func peers(of dataset: String) -> [PeerView] {
    [PeerView(address: "192.0.2.1:6881", client: "x")]
  }

  func add(peer: PeerAddress, to dataset: String) throws(ControlFailure) {
    asked.append("peer \(peer)")
    onPeer()
  }

  func export(_ request: ExportRequest) throws(ControlFailure) -> ExportView {
    if let failure { throw failure }
    guard let info = datasets.first?.info else { throw .unavailable("") }
    let view = ExportView(
      names: [request.name ?? Array("k/p".utf8)], dataset: request.dataset,
      version: request.version,
      path: info.files[request.file].path, size: info.files[request.file].length,
      socket: Array("/s".utf8))
    exports.append(view)
    return view
  }

  func removeExport(named name: [UInt8]) throws(ControlFailure) {
    guard let place = exports.firstIndex(where: { $0.names.contains(name) }) else {
      throw .notFound("there is no export \(printable(name))")
    }
    exports.remove(at: place)
  }

  func trace(of file: Int, in dataset: String, version: UInt64?) throws(ControlFailure) -> BootTrace
  {
    do {
      return try BootTrace(fileSize: 100, reads: [.init(offset: 3, length: 4, milliseconds: 5)])
    } catch { throw .system("\(error)") }
  }

  func shippedTrace(
    of file: Int, in dataset: String, version: UInt64?,
    completion: @escaping (Result<BootTrace?, ControlFailure>) -> Void
  ) {
    let trace = file == 0 ? nil : try? self.trace(of: file, in: dataset, version: version)
    later.append { completion(.success(trace)) }
  }
}
