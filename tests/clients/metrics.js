// Asks CloudWatch by the AWS SDK for JavaScript, and prints what it answers. Arguments: a function, from when, until when.

const path = require('node:path');

const folder = path.join(__dirname, '../../.cache/cloudwatch');
const sdk = require(require.resolve('@aws-sdk/client-cloudwatch', { paths: [folder] }));

const [name, from, to] = process.argv.slice(2);
const client = new sdk.CloudWatchClient({ endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 1 });
const Dimensions = [{ Name: 'FunctionName', Value: name }];
const range = { StartTime: new Date(from * 1000), EndTime: new Date(to * 1000) };

async function main() {
  const Metric = { Namespace: 'AWS/Lambda', MetricName: 'Invocations', Dimensions };
  const MetricDataQueries = [{ Id: 'calls', MetricStat: { Metric, Period: 60, Stat: 'Sum' } }];
  const data = await client.send(new sdk.GetMetricDataCommand({ ...range, MetricDataQueries }));
  const [result] = data.MetricDataResults;
  const statistics = await client.send(new sdk.GetMetricStatisticsCommand({
    ...range, ...Metric, Period: 86400, Statistics: ['Sum', 'SampleCount'],
  }));
  const list = await client.send(new sdk.ListMetricsCommand({ MetricName: 'Invocations', Dimensions }));
  let refused = 'nothing';
  try {
    await client.send(new sdk.PutMetricDataCommand({ Namespace: 'N', MetricData: [{ MetricName: 'm', Value: 1 }] }));
  } catch (error) {
    refused = `${error.$metadata.httpStatusCode} ${error.name}`;
  }
  console.log(JSON.stringify({
    sum: result.Values.reduce((sum, value) => sum + value, 0),
    status: result.StatusCode,
    areDates: result.Timestamps.every((time) => time instanceof Date && time.getTime() % 60000 === 0),
    statistics: statistics.Datapoints.map(({ Sum, SampleCount, Unit }) => ({ Sum, SampleCount, Unit })),
    listed: list.Metrics.length,
    refused,
  }));
}

main();
