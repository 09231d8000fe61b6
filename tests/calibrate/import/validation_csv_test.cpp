#include "calibrate/import/validation_csv.hpp"

#include <utility>

#include "tests/calibrate/import/support.hpp"
#include "tests/support/published.hpp"

namespace calibrate {
namespace {

const std::string collectives =
    "id,source,sweep,collective,library,library_version,gpu,n_gpus,n_nodes,dtype,size_bytes,"
    "in_place,time_us\n"
    "a,page one,s1,all_gather,NCCL,2.20.3,H100-SXM5-80GB,16,2,float,6400,0,50.5\n"
    "b,page two,s2,all_reduce,NCCL,,A100-SXM4-80GB,8,1,half,1024,1,20\n"
    "c,page one,s1,all_gather,NCCL,2.20.3,H100-SXM5-80GB,16,2,float,12800,0,51\n";

TEST_CASE("each sweep of a published table is a run") {
  const Imported all = imported(import_validation_csv, collectives);
  REQUIRE(all.runs.size() == 2);
  CHECK(all.runs[0].run.command == "s1");
  CHECK(all.runs[0].run.note == "page one");
  REQUIRE(all.runs[0].collectives.size() == 2);
  const CollectiveRecord& first = all.runs[0].collectives[0];
  CHECK(first.op == base::Collective::all_gather);
  CHECK(first.placement == Placement{16, 2, 8});
  CHECK(first.bytes == base::Bytes::from_count(6400));
  CHECK(first.count == 100);  // 6400 / 16 ranks / 4 bytes
  CHECK(first.times.mean == us(50.5));
  CHECK(first.line == 2);
  CHECK(all.runs[1].collectives.at(0).in_place);
  CHECK(all.runs[1].collectives[0].dtype == "half");
  CHECK(mistakes(import_validation_csv,
                 collectives + "d,p,s3,all_gatter,NCCL,2,H100-SXM5-80GB,16,2,float,6400,0,50\n"
                               "e,p,s3,all_gather,NCCL,2,,1,2,floot,6400,0,-1\n") ==
        "log:5: error: no collective 'all_gatter'\n"
        "log:6: error: no type 'floot'\n"
        "log:6: error: the time is not above 0\n"
        "log:6: error: 1 ranks on 2 nodes (n_gpus and n_nodes say how many)\n"
        "log:6: error: the gpu is not stated (give it: --device NAME)\n");
}

TEST_CASE("kernels of a published table") {
  const std::string header =
      "id,source,library,gpu,op,dtype,m,n,k,batch,seq_len,q_heads,kv_heads,head_dim,causal,"
      "time_us,note\n";
  const Imported all = imported(
      import_validation_csv,
      header + "a,page,torch 2.7,H100-SXM5-80GB,gemm,bf16,16,32,64,,,,,,,5,\n" +
          "b,page,vllm 0.24,H100-SXM5-80GB,attention_fwd,bf16,,,,2,1024,8,4,64,1,25,\n" +
          "c,page,x,A100-SXM4-80GB,other,fp16,,,,2,1024,8,8,64,0,5,attention_fwd_bwd: both\n");
  REQUIRE(all.runs.size() == 1);
  REQUIRE(all.runs[0].kernels.size() == 2);
  const KernelRecord& gemm = all.runs[0].kernels[0];
  CHECK(gemm.kind == "gemm");
  CHECK(std::get<base::Gemm>(gemm.kernel) == base::Gemm{16, 32, 64});
  CHECK(gemm.library == "torch");
  CHECK(gemm.library_version == "2.7");
  CHECK(gemm.times.mean == us(5));
  CHECK(all.runs[0].kernels[1].variant == "writes the cache");
  CHECK(std::get<base::Attention>(all.runs[0].kernels[1].kernel).kv_heads == 4);
  CHECK(text_of(all.notes) ==
        "log: note: 1 rows left out: several kernels were measured together\n");
}

TEST_CASE("the published tables are read as a whole") {
  for (const auto& [name, rows] :
       {std::pair{"collectives.csv", 3983U}, {"kernels.csv", 3738U - 193U}}) {
    const std::string text = published(name);
    if (text.empty()) continue;
    const Imported all = imported(import_validation_csv, text);
    std::size_t count = 0;
    for (const RunRecords& run : all.runs) count += run.collectives.size() + run.kernels.size();
    CHECK(count == rows);
  }
}

}  // namespace
}  // namespace calibrate
